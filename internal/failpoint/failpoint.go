// Package failpoint lets the fault harness stop a real process at a named place: killed, or frozen.
//
// It is compiled into the services and inert without OPENRABBIT_FAILPOINT, which holds rules of the form
// name:action:count, separated by commas: "model_called:kill:1" kills the process the first time it comes by
// model_called. The action lands before the call returns; it leaves a line on standard error first, so that the harness
// can prove that the fault landed.
package failpoint

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Action is what happens to the process.
type Action string

// The actions.
const (
	// Kill is SIGKILL to the process itself: nothing is cleaned up.
	Kill Action = "kill"
	// Freeze is SIGSTOP to the process itself, until somebody sends SIGCONT.
	Freeze Action = "freeze"
)

type rule struct {
	action Action
	left   int
}

// Set is a set of armed failpoints. The nil Set is inert.
type Set struct {
	out    io.Writer
	signal func(Action)

	mu    sync.Mutex
	rules map[string]*rule
}

// Parse reads rules; an empty text gives nil. What lands is written to out first.
func Parse(text string, out io.Writer) (*Set, error) {
	if text == "" {
		return nil, nil
	}
	s := &Set{out: out, signal: raise, rules: map[string]*rule{}}
	for part := range strings.SplitSeq(text, ",") {
		fields := strings.Split(part, ":")
		if len(fields) != 3 || fields[0] == "" {
			return nil, fmt.Errorf("failpoint %q: want name:action:count", part)
		}
		action := Action(fields[1])
		count, err := strconv.Atoi(fields[2])
		if err != nil || count < 1 || (action != Kill && action != Freeze) {
			return nil, fmt.Errorf("failpoint %q: want kill or freeze, and a count from 1", part)
		}
		s.rules[fields[0]] = &rule{action, count}
	}
	return s, nil
}

// Hit is called at a named place.
func (s *Set) Hit(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	r := s.rules[name]
	armed := r != nil && r.left > 0
	if armed {
		r.left--
	}
	s.mu.Unlock()
	if armed {
		fmt.Fprintf(s.out, "failpoint landed: %s:%s\n", name, r.action)
		s.signal(r.action)
	}
}
