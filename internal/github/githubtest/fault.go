package githubtest

import (
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
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

// Fault is one way to misbehave. Exactly one of Status, Hang, Reset, CutBody, BodyBytes and Lie says how; with none of
// them, Delay alone makes a slow but right answer.
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
	// BodyBytes answers 200 with JSON of about so many bytes.
	BodyBytes int
	// Lie gives the right answer to a write that creates or submits something, and takes it back.
	Lie bool
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
	case f.When == AfterCommit, f.CutBody > 0, f.Lie, f.Status == 0 && !f.Hang && !f.Reset && f.BodyBytes == 0:
		right = s.apply(r, entry)
	case f.When == Later:
		s.postpone(r, entry, f.ApplyAfter)
	}
	if f.Lie {
		s.takeBack(r, entry)
	}
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
	case f.Reset:
		hangUp(w)
	case f.BodyBytes > 0:
		sendMuch(w, f.BodyBytes)
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

// due is a request to be carried out later.
type due struct {
	at    time.Time
	r     *request
	entry *Request
}

// postpone carries a request out once it is due by the server's clock: at that time when the clock is the real one, and
// else at the next request, or at Ripen.
func (s *Server) postpone(r *request, entry *Request, d time.Duration) {
	s.laterMu.Lock()
	s.later = append(s.later, due{s.o.Now().Add(d), r, entry})
	s.laterMu.Unlock()
	s.pending.Add(1)
	go func() {
		defer s.pending.Done()
		select {
		case <-time.After(d):
			s.Ripen()
		case <-s.closed:
		}
	}()
}

// Ripen carries out what was postponed and is due by now.
func (s *Server) Ripen() {
	s.laterMu.Lock()
	defer s.laterMu.Unlock()
	now := s.o.Now()
	s.later = slices.DeleteFunc(s.later, func(d due) bool {
		if d.at.After(now) {
			return false
		}
		s.apply(d.r, d.entry)
		return true
	})
}

// takeBack undoes what a request did.
func (s *Server) takeBack(r *request, entry *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, undo := range r.undo {
		undo()
	}
	s.note(entry, func(e *Request) { e.Applied = false })
}

// sendMuch answers with more than anybody wants to read.
func sendMuch(w http.ResponseWriter, bytes int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	chunk := []byte(strings.Repeat("x", 64<<10))
	_, err := w.Write([]byte(`{"body":"`))
	for left := bytes; left > 0 && err == nil; left -= len(chunk) {
		_, err = w.Write(chunk[:min(left, len(chunk))])
	}
	if err == nil {
		_, _ = w.Write([]byte(`"}`)) // a client that is gone has its reasons
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
