package torture

import (
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/llmtest"
)

func TestCheckCalls(t *testing.T) {
	t.Parallel()
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	call := func(number int, hash string, from, to float64) llmtest.Call {
		return llmtest.Call{Number: number, Endpoint: llmtest.EndpointChat, PromptHash: hash, At: at(from), Ended: at(to)}
	}
	kill := func(s float64) Event {
		return Event{At: at(s), Kind: Landed, Process: "orchestrator-1", Fault: "orchestrator/model_called/kill"}
	}
	for name, tt := range map[string]struct {
		events   []Event
		calls    []llmtest.Call
		stored   []Stored
		repeated int
		again    int
	}{
		"once each":                       {nil, []llmtest.Call{call(1, "a", 0, 1), call(2, "b", 0, 1)}, []Stored{{1, at(1)}, {2, at(1)}}, 0, 0},
		"killed in flight":                {[]Event{kill(0.5)}, []llmtest.Call{call(1, "a", 0, 0.6), call(2, "a", 5, 6)}, []Stored{{2, at(6)}}, 1, 0},
		"killed before it was written":    {[]Event{kill(1.1)}, []llmtest.Call{call(1, "a", 0, 1), call(2, "a", 5, 6)}, []Stored{{2, at(6)}}, 1, 0},
		"killed before it was asked":      {[]Event{kill(0.5)}, []llmtest.Call{call(1, "a", 1.2, 2), call(2, "a", 5, 6)}, []Stored{{2, at(6)}}, 1, 0},
		"a fault long before":             {[]Event{kill(0.5)}, []llmtest.Call{call(1, "a", 2, 3), call(2, "a", 5, 6)}, []Stored{{2, at(6)}}, 1, 2},
		"stored, and asked again":         {[]Event{kill(0.5)}, []llmtest.Call{call(1, "a", 0, 1), call(2, "a", 5, 6)}, []Stored{{1, at(1)}}, 1, 2},
		"asked again without a fault":     {nil, []llmtest.Call{call(1, "a", 0, 1), call(2, "a", 5, 6)}, []Stored{{2, at(6)}}, 1, 2},
		"a fault long after":              {[]Event{kill(3)}, []llmtest.Call{call(1, "a", 0, 1), call(2, "a", 5, 6)}, []Stored{{2, at(6)}}, 1, 2},
		"two at once, of which one stays": {nil, []llmtest.Call{call(1, "a", 0, 2), call(2, "a", 1, 3)}, []Stored{{1, at(2)}}, 1, 2},
	} {
		var v Verdict
		CheckCalls(tt.events, tt.calls, tt.stored, &v)
		if v.Repeated != tt.repeated || len(v.Again) != tt.again || v.OK() != (tt.again == 0) || v.ModelCalls != len(tt.calls) {
			t.Errorf("%s: %d repeated, %q", name, v.Repeated, v.Again)
		}
	}
	if numberOf("m#17") != 17 || numberOf("m") != 0 {
		t.Error("the number of a call is not read")
	}
}
