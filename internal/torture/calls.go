package torture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/llmtest"
)

const (
	// sendGrace is how long a question may be on its way through the model tier, which is another process, before the model
	// is asked.
	sendGrace = time.Second
	// storeGrace is how long after its end an answer may still be on its way into the database when a process dies.
	storeGrace = time.Second
)

// Stored is an answer that the database holds: the number of the call that gave it, and when it was written.
type Stored struct {
	Number int
	At     time.Time
}

// CheckCalls adds to a verdict what a model was asked twice. A question is the hash of what the stand-in was sent. It may
// be asked again only when no answer to it is stored, and then a process must have died, or frozen, while the call before
// was under way or its answer was being written.
func CheckCalls(events []Event, calls []llmtest.Call, stored []Stored, v *Verdict) {
	var faults []time.Time
	for _, e := range events {
		if e.Kind == Landed && strings.HasPrefix(e.Fault, "orchestrator/") {
			faults = append(faults, e.At)
		}
	}
	kept := map[int]time.Time{}
	for _, s := range stored {
		kept[s.Number] = s.At
	}
	// cost says whether a fault can have cost a call's answer.
	cost := func(c llmtest.Call, at time.Time) bool {
		return !at.Before(c.At.Add(-sendGrace)) && (c.Ended.IsZero() || at.Before(c.Ended.Add(storeGrace)))
	}
	before := map[string][]llmtest.Call{}
	for _, c := range calls {
		if c.Endpoint != llmtest.EndpointChat {
			continue
		}
		v.ModelCalls++
		if slices.ContainsFunc(faults, func(at time.Time) bool { return cost(c, at) }) {
			if _, ok := kept[c.Number]; !ok {
				v.InFlight++
			}
		}
		for i, old := range before[c.PromptHash] {
			if i == 0 {
				v.Repeated++
			}
			at, ok := kept[old.Number]
			if i == 0 && ok && at.After(c.At) && slices.ContainsFunc(faults, func(at time.Time) bool { return cost(old, at) }) {
				v.InFlight++ // a frozen worker had the answer, and stored it once it was thawed
			}
			switch {
			case ok && c.At.After(at):
				v.Again = append(v.Again, fmt.Sprintf("call %d (%s) although the answer of call %d was stored %s before", c.Number, c.Schema, old.Number, c.At.Sub(at).Round(time.Millisecond)))
			case !slices.ContainsFunc(faults, func(at time.Time) bool { return cost(old, at) }):
				v.Again = append(v.Again, fmt.Sprintf("call %d (%s) as call %d, from %s to %s, and no fault came then", c.Number, c.Schema, old.Number, clock(old.At), clock(old.Ended)))
			}
		}
		before[c.PromptHash] = append(before[c.PromptHash], c)
	}
	if v.Repeated > v.InFlight {
		v.Again = append(v.Again, fmt.Sprintf("%d calls were repeated for %d in flight", v.Repeated, v.InFlight))
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// numberOf reads the number of a call out of the model's name that its answer bears.
func numberOf(model string) int {
	_, digits, _ := strings.Cut(model, "#")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
