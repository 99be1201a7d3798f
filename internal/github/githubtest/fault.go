package githubtest

import (
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// When says at which point of a request a fault strikes.
type When int

// The points.
const (
	// Before: the request is not carried out.
	Before When = iota
	// AfterCommit: the request is carried out, and the client does not learn it.
	AfterCommit
	// Later: the request is carried out Fault.ApplyAfter after the client got its fault.
	Later
)

// Fault is one way to misbehave. Exactly one of Status, Hang, Reset and CutBody says how; with none of them, Delay alone
// makes a slow but right answer.
type Fault struct {
	// Route is "METHOD /path/{with}/{names}"; empty for every request, "POST" for every request of a method.
	Route string
	When  When
	// Status answers with an error, with Body instead of GitHub's usual one, and with Header besides.
	Status int
	Body   string
	Header map[string]string
	// RetryAfter is put into the header as it is.
	RetryAfter string
	// Hang gives no answer until the client leaves.
	Hang bool
	// Reset closes the connection without an answer.
	Reset bool
	// CutBody gives only so many bytes of the right answer, less one: 1 gives none. It needs AfterCommit for a write.
	CutBody int
	// Delay waits before anything else.
	Delay time.Duration
	// ApplyAfter is for Later.
	ApplyAfter time.Duration
	// After is how many requests that fit are let by first.
	After int
	// Times bounds how often it strikes; 0 means every time.
	Times int
	// Probability is the chance for each request that fits; 0 means always.
	Probability float64
}

// Armed is a fault in force.
type Armed struct {
	fault  Fault
	passed int // requests let by, under the faults' lock
	landed atomic.Int64
	off    atomic.Bool
}

// Landed says how often the fault struck. A test that expects a fault must see it land.
func (a *Armed) Landed() int { return int(a.landed.Load()) }

// Disarm ends the fault.
func (a *Armed) Disarm() { a.off.Store(true) }

type faults struct {
	mu    *sync.Mutex
	dice  *rand.Rand
	armed []*Armed
}

func newFaults(seed uint64) faults {
	return faults{mu: &sync.Mutex{}, dice: rand.New(rand.NewPCG(seed, seed))} // dice of a test, to be repeated by seed
}

// Inject puts a fault into force. Of several that fit, the one injected first strikes.
func (s *Server) Inject(f Fault) *Armed {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	a := &Armed{fault: f}
	s.faults.armed = append(s.faults.armed, a)
	return a
}

// draw gives the fault that strikes a request of a route.
func (f *faults) draw(route string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.armed {
		fits := a.fault.Route == "" || a.fault.Route == route || strings.HasPrefix(route, a.fault.Route+" ")
		spent := a.fault.Times > 0 && a.Landed() >= a.fault.Times
		if !fits || spent || a.off.Load() {
			continue
		}
		if a.fault.Probability > 0 && f.dice.Float64() >= a.fault.Probability {
			continue
		}
		if a.passed < a.fault.After {
			a.passed++
			continue
		}
		a.landed.Add(1)
		return &a.fault
	}
	return nil
}

// misbehave answers a request under a fault.
func (s *Server) misbehave(w http.ResponseWriter, r *request, entry *Request, f *Fault) {
	if f.Delay > 0 && !s.wait(r, f.Delay) {
		return
	}
	var right answer
	switch {
	case f.When == AfterCommit, f.CutBody > 0, f.Status == 0 && !f.Hang && !f.Reset:
		right = s.apply(r, entry)
	case f.When == Later:
		s.pending.Add(1)
		go func() {
			defer s.pending.Done()
			select {
			case <-time.After(f.ApplyAfter):
				s.apply(r, entry)
			case <-s.closed:
			}
		}()
	}
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
	case f.Reset:
		hangUp(w)
	case f.Status > 0:
		s.send(w, entry, f.answer())
	case f.CutBody > 0:
		right.header.Set("Content-Length", strconv.Itoa(len(right.body)))
		right.body = right.body[:min(len(right.body), f.CutBody-1)]
		s.send(w, entry, right) // net/http closes a connection whose promised length was not kept
	default:
		s.send(w, entry, right)
	}
}

func (f *Fault) answer() answer {
	a := problem(f.Status, http.StatusText(f.Status))
	if f.Body != "" {
		a.body = []byte(f.Body)
	}
	for k, v := range f.Header {
		a.header.Set(k, v)
	}
	if f.RetryAfter != "" {
		a.header.Set("Retry-After", f.RetryAfter)
	}
	return a
}

// wait gives false when the client left meanwhile.
func (s *Server) wait(r *request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	case <-s.closed:
		return false
	}
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // so that the client gets a reset and not an end of file
	}
	conn.Close()
}
