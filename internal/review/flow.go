package review

import (
	"path"
	"slices"

	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// FlowStep is a call from one component to another that was not there before the change. Components are directories.
type FlowStep struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Call is the name of what is called.
	Call string `json:"call"`
}

const (
	// leastFlow is how many steps make a flow worth drawing, mostFlow how many are drawn.
	leastFlow, mostFlow = 2, 14
	// mostComponents bounds the components of one drawing.
	mostComponents = 7
)

// flow gives the calls between components that the change adds, in the order of the diff. It is of code alone: no model
// has a say in it. A change that adds fewer than two has none.
func (r *run) flow() []FlowStep {
	var steps []FlowStep
	var components []string
	n := r.index()
	for _, s := range r.subjects {
		if s.after == nil || s.lines == nil || facts.TestPath(s.path) {
			continue
		}
		called := map[string]bool{}
		if s.before != nil {
			for _, ref := range s.before.References {
				called[ref.Name] = called[ref.Name] || ref.Kind == syntax.Call
			}
		}
		for _, u := range s.uses() {
			if u.ref.Kind != syntax.Call || called[u.ref.Name] {
				continue
			}
			list := r.places(u, n)
			if len(list) != 1 || facts.TestPath(list[0].path) {
				continue
			}
			step := FlowStep{From: path.Dir(s.path), To: path.Dir(list[0].path), Call: u.ref.Name}
			if step.From == step.To || slices.Contains(steps, step) || len(steps) == mostFlow {
				continue
			}
			for _, c := range []string{step.From, step.To} {
				if !slices.Contains(components, c) {
					components = append(components, c)
				}
			}
			if len(components) > mostComponents {
				return steps
			}
			steps = append(steps, step)
		}
	}
	if len(steps) < leastFlow {
		return nil
	}
	return steps
}
