package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/llmtest"
)

// TestFiftyPushes: fifty pushes to one pull request, some of whose deliveries overtake the one before and some come twice,
// while the model takes longer than the pause between two pushes. (Deliveries of one second that come in any order can
// make the last head be left and taken up again; the gateway's tests have that.) In the end one review is posted, of the last head; every
// other one has stopped, with its job and its check run. OPENRABBIT_PUSHES=10s spreads the pushes over so long.
func TestFiftyPushes(t *testing.T) {
	t.Parallel()
	const pushes = 50
	over := 1500 * time.Millisecond
	if text := os.Getenv("OPENRABBIT_PUSHES"); text != "" {
		var err error
		if over, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	script := divScript()
	for i := range script.Rules {
		script.Rules[i].DelayMS = 1000
	}
	_, env := model(t, llmtest.Options{Script: script})
	m := start(t, baseFiles, env)
	number := m.open(githubtest.PullRequestSpec{Title: "Halves", Head: headFiles})
	dice := rand.New(rand.NewPCG(1, 2)) // the same order in every run
	deliver := func(push int, payload map[string]any) {
		for range 1 + dice.IntN(2) { // a replay has another GUID
			status, _, err := m.github.Deliver(t.Context(), m.webhook(), githubtest.Delivery{Event: "pull_request", Payload: payload})
			if err != nil || status/100 != 2 {
				t.Errorf("push %d: %d, %v", push, status, err)
			}
		}
	}
	var head string
	var overtaken map[string]any
	tick := time.NewTicker(over / pushes)
	defer tick.Stop()
	for i := range pushes {
		<-tick.C
		var err error
		head, err = m.github.Push(repository, number, githubtest.With(headFiles, map[string]string{"price.py": fmt.Sprintf("PRICE = %d\n", i)}))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := m.github.PullRequestEvent(repository, number, "synchronize", nil)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case overtaken != nil:
			deliver(i, payload)
			deliver(i-1, overtaken)
			overtaken = nil
		case i < pushes-1 && dice.IntN(3) == 0:
			overtaken = payload
		default:
			deliver(i, payload)
		}
	}
	last := m.newest(number)
	if last.GetHeadSha() != head || last.GetState() != reviewv1.State_STATE_FINDINGS {
		t.Fatalf("the newest review is of %s and ended as %s; the head is %s", last.GetHeadSha(), last.GetState(), head)
	}
	m.eventually("all other reviews, their jobs and their check runs have ended", func() bool {
		open := 0
		for _, c := range m.github.CheckRuns(repository) {
			if c.Status != "completed" {
				open++
			}
		}
		return open == 0 && m.count(`river_job WHERE kind = 'review_pull_request' AND finalized_at IS NULL`) == 0
	})
	if posted := m.github.Reviews(repository, number); len(posted) != 1 || posted[0].CommitID != head {
		t.Errorf("posted %+v, want one review of %s", posted, head)
	}
	if n := m.count(`reviews WHERE head = '` + head + `'`); n != 1 {
		t.Errorf("%d reviews of the last head", n)
	}
	if n := m.count(`reviews WHERE head <> '` + head + `' AND state <> 'superseded'`); n != 0 {
		t.Errorf("%d reviews of other heads were not superseded", n)
	}
	for _, c := range m.github.CheckRuns(repository) {
		if want := map[bool]string{true: "neutral", false: "cancelled"}[c.Head == head]; c.Conclusion != want {
			t.Errorf("the check run of %s concludes %s, want %s", c.Head, c.Conclusion, want)
		}
	}
	if v := m.github.Violations(); len(v) > 0 {
		t.Errorf("requests that GitHub would not understand: %s", strings.Join(v, "\n"))
	}
	t.Logf("%d pushes in %s: %d reviews begun and superseded, %d check runs", pushes, over, m.count(`reviews WHERE state = 'superseded' AND started_at IS NOT NULL`),
		len(m.github.CheckRuns(repository)))
}

func (m *mesh) count(what string) (n int) {
	m.t.Helper()
	if err := m.db.Pool().QueryRow(m.t.Context(), `SELECT count(*) FROM `+what).Scan(&n); err != nil {
		m.t.Fatal(err)
	}
	return n
}

func (m *mesh) eventually(what string, so func() bool) {
	m.t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			m.t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}
