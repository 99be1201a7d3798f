package torture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
)

// Shown is what the stand-in for GitHub shows of one pull request in the end.
type Shown struct {
	Number int
	// Head is the pull request's head now.
	Head string
	// Reviews are our submitted reviews, by the revision they are on; Pending are drafts left behind.
	Reviews []Posted
	Pending int
	// Walkthroughs counts our comments in the conversation.
	Walkthroughs int
	// Conclusions are those of our check runs on Head, an empty one is still open; Says are their titles.
	Conclusions, Says []string
}

// Posted is a submitted review.
type Posted struct {
	ID   int64
	Head string
	// At is when it was submitted.
	At time.Time
	// Places are the places of its comments, each once per comment. A finding has the same place in each revision.
	Places []string
}

// Verdict is what the checker found. Everything but Recovered must be empty.
type Verdict struct {
	// Lost are acknowledged deliveries whose head is still the pull request's and that no review shows.
	Lost []string
	// Duplicated are revisions with two reviews, comments said twice, walkthroughs beside each other.
	Duplicated []string
	// Stale are reviews of a revision that nobody asked for, or submitted more than StaleGrace after it was replaced.
	Stale []string
	// Unexpected is whatever else should not be: drafts left behind, check runs that never end, processes that ended by
	// themselves, writes after all had ended.
	Unexpected []string
	// Vacuous are faults that were armed and never landed.
	Vacuous []string
	// Recovered counts the faults that landed, Superseded the revisions that were replaced.
	Recovered, Superseded int
	// Zombies counts the jobs that a frozen worker went on with after others had ended them.
	Zombies int
	// Recovery is the time from the last kill or freeze to the moment when every review had ended, LastReview that to the
	// last review that was posted after it; 0 when there was none.
	Recovery, LastReview time.Duration
	// Again are questions that a model was asked although their answer was stored, and calls that were made again without
	// a fault that cost the first one's answer.
	Again []string
	// ModelCalls counts the questions that a model was asked, Repeated those of them that it had been asked before, and
	// InFlight the calls that were under way when a process was killed or froze.
	ModelCalls, Repeated, InFlight int
	// Acknowledged counts the deliveries that were answered with 2xx, Refused those that were not.
	Acknowledged, Refused int
}

// StaleGrace is how long after a push its submit may still arrive: the step between looking at the head and submitting,
// bounded by the timeout of a call to GitHub.
const StaleGrace = 2 * time.Second

// OK says whether nothing is wrong.
func (v Verdict) OK() bool {
	return len(v.Lost)+len(v.Duplicated)+len(v.Stale)+len(v.Unexpected)+len(v.Vacuous)+len(v.Again) == 0
}

// String is the verdict for a reader.
func (v Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d deliveries acknowledged, %d refused, %d revisions replaced; %d faults landed; %d lost, %d duplicated, %d stale, %d unexpected, %d faults that did not land",
		v.Acknowledged, v.Refused, v.Superseded, v.Recovered, len(v.Lost), len(v.Duplicated), len(v.Stale), len(v.Unexpected), len(v.Vacuous))
	if v.Zombies > 0 {
		fmt.Fprintf(&b, "; %d jobs were resumed by frozen workers after others had ended them", v.Zombies)
	}
	if v.Recovery > 0 {
		fmt.Fprintf(&b, "; after the last of them, the last review came in %s and all had ended in %s",
			v.LastReview.Round(100*time.Millisecond), v.Recovery.Round(100*time.Millisecond))
	}
	fmt.Fprintf(&b, "; %d calls of the model, %d of them repeated for %d in flight at a fault, %d made again without need",
		v.ModelCalls, v.Repeated, v.InFlight, len(v.Again))
	b.WriteByte('\n')
	for _, part := range []struct {
		name string
		list []string
	}{{"lost", v.Lost}, {"duplicated", v.Duplicated}, {"stale", v.Stale}, {"unexpected", v.Unexpected}, {"did not land", v.Vacuous}, {"asked again", v.Again}} {
		for _, text := range part.list {
			fmt.Fprintf(&b, "  %s: %s\n", part.name, text)
		}
	}
	return b.String()
}

// facts are what the log says.
type facts struct {
	acknowledged map[string]bool      // by "number/head"
	replaced     map[string]time.Time // by "number/head" of the revision that was
	lastFault    time.Time
}

// Check reads the log and what GitHub shows, and nothing else.
func Check(events []Event, shown []Shown) Verdict {
	var v Verdict
	f := facts{acknowledged: map[string]bool{}, replaced: map[string]time.Time{}}
	armed := map[string]int{}
	frozen := map[string]string{} // process to fault
	var drained time.Time
	thawed := 0
	for _, e := range events {
		switch e.Kind {
		case Pushed:
			v.Superseded++
			f.replaced[key(e.Number, e.Before)] = e.At
		case Armed:
			armed[e.Fault]++
		case Missed:
			armed[e.Fault]--
		case Landed:
			armed[e.Fault]--
			v.Recovered++
			if e.Process != "" {
				f.lastFault = e.At
			}
			if strings.HasSuffix(strings.TrimSuffix(e.Fault, cutSuffix), "/"+string(failpoint.Freeze)) {
				frozen[e.Process] = e.Fault
			}
		case Resumed:
			delete(frozen, e.Process)
			v.Zombies += e.Zombies
			thawed++
		case Answered:
			if e.Status/100 == 2 {
				v.Acknowledged++
				f.acknowledged[key(e.Number, e.Head)] = true
			} else {
				v.Refused++
			}
		case Crashed:
			v.Unexpected = append(v.Unexpected, fmt.Sprintf("%s ended by itself: %s", e.Process, e.Note))
		case Late:
			v.Unexpected = append(v.Unexpected, "written after all had ended: "+e.Note)
		case Drained:
			drained = e.At
		case Sent, Started, Ended:
		}
	}
	for fault, left := range armed {
		if left > 0 {
			v.Vacuous = append(v.Vacuous, fault)
		}
	}
	if len(frozen) == 0 && thawed > 0 && v.Zombies == 0 {
		v.Vacuous = append(v.Vacuous, "processes were frozen, and nothing of theirs was ended by others meanwhile")
	}
	for _, fault := range frozen {
		v.Vacuous = append(v.Vacuous, fault+": never thawed")
	}
	slices.Sort(v.Vacuous)
	if !f.lastFault.IsZero() && !drained.IsZero() {
		v.Recovery = drained.Sub(f.lastFault)
	}
	for _, pr := range shown {
		v.pullRequest(pr, f)
	}
	return v
}

func key(number int, head string) string { return fmt.Sprintf("%d/%s", number, head) }

func (v *Verdict) pullRequest(pr Shown, f facts) {
	acknowledged := f.acknowledged
	byHead := map[string]int{}
	places := map[string]int{}
	for _, r := range pr.Reviews {
		byHead[r.Head]++
		if after := r.At.Sub(f.lastFault); !f.lastFault.IsZero() && after > v.LastReview {
			v.LastReview = after
		}
		if at, gone := f.replaced[key(pr.Number, r.Head)]; gone && r.At.Sub(at) > StaleGrace {
			v.Stale = append(v.Stale, fmt.Sprintf("#%d: a review of %s, %s after it was replaced", pr.Number, r.Head, r.At.Sub(at)))
		}
		for _, p := range r.Places {
			places[p]++
		}
	}
	// What was said at an earlier revision is not said again, and a review without comments is a walkthrough only.
	saidBefore := len(places) > 0 && pr.Walkthroughs > 0 && slices.Equal(pr.Conclusions, []string{"neutral"})
	if acknowledged[key(pr.Number, pr.Head)] && byHead[pr.Head] == 0 && !saidBefore {
		v.Lost = append(v.Lost, fmt.Sprintf("#%d: no review of %s; its check runs say %q", pr.Number, pr.Head, pr.Says))
	}
	for head, n := range byHead {
		if n > 1 {
			v.Duplicated = append(v.Duplicated, fmt.Sprintf("#%d: %d reviews of %s", pr.Number, n, head))
		}
		if !acknowledged[key(pr.Number, head)] && head != pr.Head {
			v.Stale = append(v.Stale, fmt.Sprintf("#%d: a review of %s, which nobody asked for", pr.Number, head))
		}
	}
	for place, n := range places {
		if n > 1 {
			v.Duplicated = append(v.Duplicated, fmt.Sprintf("#%d: %d comments at %s", pr.Number, n, place))
		}
	}
	if pr.Walkthroughs > 1 {
		v.Duplicated = append(v.Duplicated, fmt.Sprintf("#%d: %d walkthroughs", pr.Number, pr.Walkthroughs))
	}
	if pr.Pending > 0 {
		v.Unexpected = append(v.Unexpected, fmt.Sprintf("#%d: %d drafts left behind", pr.Number, pr.Pending))
	}
	if acknowledged[key(pr.Number, pr.Head)] {
		if n := len(pr.Conclusions); n != 1 || pr.Conclusions[0] == "" {
			v.Unexpected = append(v.Unexpected, fmt.Sprintf("#%d: check runs of the head ended as %q, want one that ended", pr.Number, pr.Conclusions))
		}
	}
}
