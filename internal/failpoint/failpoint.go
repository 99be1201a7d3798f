// Package failpoint lets the fault harness stop a real process at a named place: killed, or frozen.
//
// It is compiled into the services and inert without OPENRABBIT_FAILPOINT, which holds rules of the form
// name:action:count[:skip], separated by commas: "model_called:kill:1" kills the process the first time it comes by
// model_called, "model_called:kill:1:4" the fifth time. The action lands before the call returns; it leaves a line on standard error first, so that the harness
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
	// skip counts the passings that are still let by.
	skip int
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
		skip := 0
		var err error
		if len(fields) == 4 {
			if skip, err = strconv.Atoi(fields[3]); err != nil || skip < 0 {
				return nil, fmt.Errorf("failpoint %q: want a number of passings to skip", part)
			}
			fields = fields[:3]
		}
		if len(fields) != 3 || fields[0] == "" {
			return nil, fmt.Errorf("failpoint %q: want name:action:count or name:action:count:skip", part)
		}
		action := Action(fields[1])
		count, err := strconv.Atoi(fields[2])
		if err != nil || count < 1 || (action != Kill && action != Freeze) {
			return nil, fmt.Errorf("failpoint %q: want kill or freeze, and a count from 1", part)
		}
		s.rules[fields[0]] = &rule{action: action, left: count, skip: skip}
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
	switch {
	case armed && r.skip > 0:
		r.skip--
		armed = false
	case armed:
		r.left--
	}
	s.mu.Unlock()
	if armed {
		fmt.Fprintf(s.out, "failpoint landed: %s:%s\n", name, r.action)
		s.signal(r.action)
	}
}
