package torture

import (
	"fmt"
	"slices"
	"strings"
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
	// Conclusions are those of our check runs on Head; an empty one is still open.
	Conclusions []string
}

// Posted is a submitted review.
type Posted struct {
	ID   int64
	Head string
	// Places are the places of its comments, each once per comment.
	Places []string
}

// Verdict is what the checker found. Everything but Recovered must be empty.
type Verdict struct {
	// Lost are acknowledged deliveries whose head is still the pull request's and that no review shows.
	Lost []string
	// Duplicated are revisions with two reviews, comments said twice, walkthroughs beside each other.
	Duplicated []string
	// Stale are reviews of a revision that was no longer the head when all was sent, submitted after it was replaced.
	Stale []string
	// Unexpected is whatever else should not be: drafts left behind, check runs that never end.
	Unexpected []string
	// Vacuous are faults that were armed and never landed.
	Vacuous []string
	// Recovered counts the faults that landed.
	Recovered int
	// Acknowledged counts the deliveries that were answered with 2xx, Refused those that were not.
	Acknowledged, Refused int
}

// OK says whether nothing is wrong.
func (v Verdict) OK() bool {
	return len(v.Lost)+len(v.Duplicated)+len(v.Stale)+len(v.Unexpected)+len(v.Vacuous) == 0
}

// String is the verdict for a reader.
func (v Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d deliveries acknowledged, %d refused; %d faults landed; %d lost, %d duplicated, %d stale, %d unexpected, %d faults that did not land\n",
		v.Acknowledged, v.Refused, v.Recovered, len(v.Lost), len(v.Duplicated), len(v.Stale), len(v.Unexpected), len(v.Vacuous))
	for name, list := range map[string][]string{"lost": v.Lost, "duplicated": v.Duplicated, "stale": v.Stale,
		"unexpected": v.Unexpected, "did not land": v.Vacuous} {
		for _, text := range list {
			fmt.Fprintf(&b, "  %s: %s\n", name, text)
		}
	}
	return b.String()
}

// Check reads the log and what GitHub shows, and nothing else.
func Check(events []Event, shown []Shown) Verdict {
	var v Verdict
	armed := map[string]int{}
	acknowledged := map[string]bool{} // "number/head"
	for _, e := range events {
		switch e.Kind {
		case Armed:
			armed[e.Fault]++
		case Landed:
			armed[e.Fault]--
			v.Recovered++
		case Answered:
			if e.Status/100 == 2 {
				v.Acknowledged++
				acknowledged[key(e.Number, e.Head)] = true
			} else {
				v.Refused++
			}
		case Sent, Started, Ended, Resumed, Drained:
		}
	}
	for fault, left := range armed {
		if left > 0 {
			v.Vacuous = append(v.Vacuous, fault)
		}
	}
	slices.Sort(v.Vacuous)
	for _, pr := range shown {
		v.pullRequest(pr, acknowledged)
	}
	return v
}

func key(number int, head string) string { return fmt.Sprintf("%d/%s", number, head) }

func (v *Verdict) pullRequest(pr Shown, acknowledged map[string]bool) {
	byHead := map[string]int{}
	places := map[string]int{}
	for _, r := range pr.Reviews {
		byHead[r.Head]++
		for _, p := range r.Places {
			places[p]++
		}
	}
	if acknowledged[key(pr.Number, pr.Head)] && byHead[pr.Head] == 0 {
		v.Lost = append(v.Lost, fmt.Sprintf("#%d: no review of %s", pr.Number, pr.Head))
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
