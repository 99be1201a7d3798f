package torture

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

// Plan is one run.
type Plan struct {
	// Seed chooses which deliveries are sent again and which pull requests get a second push.
	Seed uint64
	// PullRequests are opened, one after the other; more follow while a fault waits for work to land on.
	PullRequests int
	// Redeliver, Replay and Supersede are shares, from 0 to 1: deliveries sent again with their GUID, deliveries sent
	// again under a new one, and pushes for each pull request: half of them at once, half to an earlier one.
	Redeliver, Replay, Supersede float64
	// Orchestrators is how many there are, Workers how many reviews each works at once; 0 means 2 and 4.
	Orchestrators, Workers int
	// Live is how many reviews may be under way before the sender waits; 0 means 24.
	Live int
	// Faults are armed one at a time in each process of their service, in their order.
	Faults []Fault
	// GitHub are faults of the stand-in: a request applied and then answered with 502, for example.
	GitHub []githubtest.Fault
	// JobTimeout and RescueAfter are the orchestrator's horizons; 0 means its defaults.
	JobTimeout, RescueAfter time.Duration
	// OrchestratorEnv is added to the environment of the orchestrators.
	OrchestratorEnv []string
	// ModelDelay is how long the model takes for an answer.
	ModelDelay time.Duration
	// Patience bounds the wait until all is drained, Quiet is how long nothing new may happen after it.
	Patience, Quiet time.Duration
	// Progress is told now and then how far the run is; nil means nobody.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	// Sent is the number of pull requests opened, Live of reviews that have not ended.
	Sent, Live int
	// Landed and Waiting count faults.
	Landed, Waiting int
	// Frozen counts frozen processes.
	Frozen int
}

// Fault stops a process of a service when it comes by a named point.
type Fault struct {
	// Service is gateway or orchestrator.
	Service string
	Point   string
	Action  failpoint.Action
	// Cut ends the database sessions of a process that froze.
	Cut bool
	// Pass is the passing at which it strikes, counted from the start of the process; 0 means the first.
	Pass int
}

// String names the fault in the log.
func (f Fault) String() string {
	text := fmt.Sprintf("%s/%s/%s", f.Service, f.Point, f.Action)
	if f.Cut {
		text += cutSuffix
	}
	return text
}

// cutSuffix marks a freeze whose process also loses its database sessions.
const cutSuffix = "+cut"

// Points are the failpoints of the services, by service: what a random plan chooses from.
func Points() map[string][]string {
	return map[string][]string{
		"gateway": {"read", "verified", "tx_open", "inserted", "committed", "before_write"},
		"orchestrator": {
			"loaded", "check_run", "analyzed", "model_reserved", "model_answered", "model_called", "result_saved", "intent", "drafted", "before_submit",
			"submitted", "walkthrough", "done",
		},
	}
}

// RandomKills chooses so many kills, a third of them in the gateway, each point before any other for the second time,
// and spreads them over so many pull requests.
func RandomKills(seed uint64, kills, pullRequests int) []Fault {
	dice := rand.New(rand.NewPCG(seed, 2)) // to be repeated by seed
	inGateway := kills / 3
	var faults []Fault
	for _, part := range []struct {
		service string
		kills   int
	}{{"gateway", inGateway}, {"orchestrator", kills - inGateway}} {
		if part.kills == 0 {
			continue
		}
		points := Points()[part.service]
		// On average, the passings of all kills together are those of the run.
		most := max(1, 2*pullRequests/part.kills)
		for i := range part.kills {
			if i%len(points) == 0 {
				dice.Shuffle(len(points), func(a, b int) { points[a], points[b] = points[b], points[a] })
			}
			faults = append(faults, Fault{Service: part.service, Point: points[i%len(points)], Action: failpoint.Kill, Pass: 1 + dice.IntN(most)})
		}
	}
	return faults
}
