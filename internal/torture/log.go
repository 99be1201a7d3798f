package torture

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Kind is what an event tells.
type Kind string

// The kinds of event.
const (
	// Pushed is a new head of a pull request, from Before to Head.
	Pushed Kind = "pushed"
	// Sent and Answered are a delivery's way to the gateway.
	Sent     Kind = "sent"
	Answered Kind = "answered"
	// Armed and Landed are a fault's. Missed is its process's end without it; another one gets it then. A fault that no
	// process was ever given is armed at the end, without a process.
	Armed  Kind = "armed"
	Landed Kind = "landed"
	Missed Kind = "missed"
	// Started, Ended, Crashed and Resumed are a process's: Ended by a fault or by the harness, Crashed by itself, Resumed
	// after a freeze.
	Started Kind = "started"
	Ended   Kind = "ended"
	Crashed Kind = "crashed"
	Resumed Kind = "resumed"
	// Drained is the moment when every review had ended.
	Drained Kind = "drained"
	// Late is a write to a pull request after that.
	Late Kind = "late"
)

// Event is one thing that happened.
type Event struct {
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	// Process is the name of the process it happened to.
	Process string `json:"process,omitempty"`
	// Fault is the fault it is about, as "service/point/action".
	Fault string `json:"fault,omitempty"`
	// GUID, Number, Head and Status are a delivery's; a Status of 0 is no answer.
	GUID   string `json:"guid,omitempty"`
	Number int    `json:"number,omitempty"`
	Head   string `json:"head,omitempty"`
	Before string `json:"before,omitempty"`
	Status int    `json:"status,omitempty"`
	// Running counts the reviews that were under way when a fault landed.
	Running int `json:"running,omitempty"`
	// Zombies counts the jobs that others had taken over and ended when a frozen process went on with them.
	Zombies int    `json:"zombies,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Log is append-only. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	events []Event
	out    *json.Encoder
}

// NewLog makes a log that also writes each event as a line of JSON; out may be nil.
func NewLog(out io.Writer) *Log {
	l := &Log{}
	if out != nil {
		l.out = json.NewEncoder(out)
	}
	return l
}

// Add appends an event.
func (l *Log) Add(e Event) {
	e.At = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	if l.out != nil {
		_ = l.out.Encode(e) // the log in memory is the one that is checked
	}
}

// Events gives all events so far.
func (l *Log) Events() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Event(nil), l.events...)
}
