package torture

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func good() ([]Event, []Shown) {
	return []Event{
			{Kind: Armed, Fault: "orchestrator/submitted/kill"}, {Kind: Sent, Number: 1, Head: "a"},
			{Kind: Answered, Number: 1, Head: "a", Status: 202}, {Kind: Landed, Fault: "orchestrator/submitted/kill"},
			{Kind: Armed, Fault: "orchestrator/before_submit/freeze"},
			{Kind: Landed, Process: "o", Fault: "orchestrator/before_submit/freeze", At: noon}, {Kind: Resumed, Process: "o", Zombies: 1},
			{Kind: Drained, At: noon.Add(time.Minute)},
		}, []Shown{{Number: 1, Head: "a", Reviews: []Posted{{ID: 1, Head: "a", At: noon.Add(time.Second), Places: []string{"x:1"}}}, Walkthroughs: 1,
			Conclusions: []string{"neutral"}}}
}

// TestTheCheckerBites spoils a good run in each way and wants to hear of it.
func TestTheCheckerBites(t *testing.T) {
	t.Parallel()
	events, shown := good()
	if v := Check(events, shown); !v.OK() || v.Recovered != 2 || v.Acknowledged != 1 || v.Recovery != time.Minute || v.LastReview != time.Second {
		t.Fatalf("a good run: %s", v)
	}
	for name, spoil := range map[string]struct {
		change func(*[]Event, *Shown)
		says   func(Verdict) int
	}{
		"lost":             {func(_ *[]Event, s *Shown) { s.Reviews = nil }, func(v Verdict) int { return len(v.Lost) }},
		"two reviews":      {func(_ *[]Event, s *Shown) { s.Reviews = append(s.Reviews, Posted{ID: 2, Head: "a"}) }, func(v Verdict) int { return len(v.Duplicated) }},
		"a comment twice":  {func(_ *[]Event, s *Shown) { s.Reviews[0].Places = []string{"x:1", "x:1"} }, func(v Verdict) int { return len(v.Duplicated) }},
		"two walkthroughs": {func(_ *[]Event, s *Shown) { s.Walkthroughs = 2 }, func(v Verdict) int { return len(v.Duplicated) }},
		"nobody asked":     {func(_ *[]Event, s *Shown) { s.Reviews = append(s.Reviews, Posted{ID: 2, Head: "old"}) }, func(v Verdict) int { return len(v.Stale) }},
		"too late": {func(e *[]Event, s *Shown) {
			*e = append(*e, Event{Kind: Answered, Number: 1, Head: "old", Status: 202}, Event{Kind: Pushed, Number: 1, Before: "old", Head: "a", At: noon})
			s.Reviews = append(s.Reviews, Posted{ID: 2, Head: "old", At: noon.Add(StaleGrace + 1)})
		}, func(v Verdict) int { return len(v.Stale) }},
		"said again at another revision": {func(e *[]Event, s *Shown) {
			*e = append(*e, Event{Kind: Answered, Number: 1, Head: "old", Status: 202}, Event{Kind: Pushed, Number: 1, Before: "old", Head: "a", At: noon})
			s.Reviews = append(s.Reviews, Posted{ID: 2, Head: "old", At: noon, Places: []string{"x:1"}})
		}, func(v Verdict) int { return len(v.Duplicated) }},
		"lost at the second revision": {func(e *[]Event, s *Shown) {
			*e = append(*e, Event{Kind: Answered, Number: 1, Head: "b", Status: 202}, Event{Kind: Pushed, Number: 1, Before: "a", Head: "b", At: noon.Add(time.Hour)})
			s.Head, s.Conclusions = "b", []string{"failure"}
		}, func(v Verdict) int { return len(v.Lost) }},
		"a crash":       {func(e *[]Event, _ *Shown) { *e = append(*e, Event{Kind: Crashed, Process: "gateway"}) }, func(v Verdict) int { return len(v.Unexpected) }},
		"a late write":  {func(e *[]Event, _ *Shown) { *e = append(*e, Event{Kind: Late, Note: "POST"}) }, func(v Verdict) int { return len(v.Unexpected) }},
		"not thawed":    {func(e *[]Event, _ *Shown) { *e = (*e)[:6] }, func(v Verdict) int { return len(v.Vacuous) }},
		"a draft left":  {func(_ *[]Event, s *Shown) { s.Pending = 1 }, func(v Verdict) int { return len(v.Unexpected) }},
		"an open check": {func(_ *[]Event, s *Shown) { s.Conclusions = []string{""} }, func(v Verdict) int { return len(v.Unexpected) }},
		"did not land":  {func(e *[]Event, _ *Shown) { *e = (*e)[:3] }, func(v Verdict) int { return len(v.Vacuous) }},
	} {
		events, shown := good()
		spoil.change(&events, &shown[0])
		if v := Check(events, shown); v.OK() || spoil.says(v) != 1 {
			t.Errorf("%s: %s", name, v)
		}
	}
}

// TestWhatWasSaidBeforeIsNotOwed: the finding of the first revision is not repeated at the second, whose check run tells
// of it.
func TestWhatWasSaidBeforeIsNotOwed(t *testing.T) {
	t.Parallel()
	events, shown := good()
	events = append(events, Event{Kind: Pushed, Number: 1, Before: "a", Head: "b", At: noon.Add(time.Hour)},
		Event{Kind: Answered, Number: 1, Head: "b", Status: 202})
	shown[0].Head = "b"
	if v := Check(events, shown); !v.OK() || v.Superseded != 1 {
		t.Errorf("%s", v)
	}
}

// TestARefusedDeliveryPromisesNothing: without a 2xx nothing is owed.
func TestARefusedDeliveryPromisesNothing(t *testing.T) {
	t.Parallel()
	v := Check([]Event{{Kind: Answered, Number: 1, Head: "a", Status: 503}}, []Shown{{Number: 1, Head: "a"}})
	if !v.OK() || v.Refused != 1 {
		t.Errorf("%s", v)
	}
}
