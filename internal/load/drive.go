package load

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Plan says what is sent.
type Plan struct {
	// Addr is the gateway's address for webhooks.
	Addr string
	// Connections is how many senders there are; each waits for its answer before it sends again.
	Connections int
	// Rate is how many deliveries a second are to be sent; 0 means as many as are answered.
	Rate float64
	// For is how long, First the number of the first delivery.
	For   time.Duration
	First int
}

// Sent is one delivery and its answer.
type Sent struct {
	// N is its number in the run.
	N int
	// Took counts from the moment when it was to be sent; Done is when its answer was there.
	Took time.Duration
	Done time.Time
	// Acknowledged is set when the answer was 2xx and said that it is accepted.
	Acknowledged bool
	// Answer is the status, 0 when there was none.
	Answer int
}

// Outcome is what came of a plan.
type Outcome struct {
	Sent []Sent
	// Elapsed is from the first to the last answer.
	Elapsed time.Duration
	// Next is the number after the last one sent.
	Next int
}

// Acknowledged counts the deliveries that were taken.
func (o Outcome) Acknowledged() (n int) {
	for _, s := range o.Sent {
		if s.Acknowledged {
			n++
		}
	}
	return n
}

// PerSecond is how many were taken a second.
func (o Outcome) PerSecond() float64 { return float64(o.Acknowledged()) / o.Elapsed.Seconds() }

// Percentile gives the latency that this share of the answers did not exceed; p is from 0 to 100.
func (o Outcome) Percentile(p float64) time.Duration {
	if len(o.Sent) == 0 {
		return 0
	}
	took := make([]time.Duration, len(o.Sent))
	for i, s := range o.Sent {
		took[i] = s.Took
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(p/100*float64(len(took))))]
}

// patience is how long a sender waits for an answer: GitHub's 10 seconds.
const patience = 10 * time.Second

var accepted = []byte(`"accepted"`)

// Drive carries out a plan. An answer that is not there is an answer of 0, not an error.
func (m *Maker) Drive(ctx context.Context, plan Plan) (Outcome, error) {
	var next atomic.Int64
	next.Store(int64(plan.First))
	var mu sync.Mutex
	var out Outcome
	var failed error
	var all sync.WaitGroup
	begun := time.Now()
	end := begun.Add(plan.For)
	for range plan.Connections {
		all.Go(func() {
			c := &conn{addr: plan.Addr}
			defer c.close()
			var sent []Sent
			for ctx.Err() == nil {
				n := int(next.Add(1) - 1)
				due := time.Now()
				if plan.Rate > 0 {
					due = begun.Add(time.Duration(float64(n-plan.First) / plan.Rate * float64(time.Second)))
				}
				if !due.Before(end) {
					break
				}
				d, err := m.Make(n, "")
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					break
				}
				if wait := time.Until(due); wait > 0 {
					time.Sleep(wait)
				}
				s := Sent{N: n}
				status, body, err := c.send(ctx, d, patience)
				if s.Done = time.Now(); err == nil {
					s.Answer, s.Acknowledged = status, status/100 == 2 && bytes.Contains(body, accepted)
				}
				s.Took = s.Done.Sub(due)
				sent = append(sent, s)
			}
			mu.Lock()
			defer mu.Unlock()
			out.Sent = append(out.Sent, sent...)
		})
	}
	all.Wait()
	out.Elapsed, out.Next = time.Since(begun), int(next.Load())
	if failed != nil {
		return out, fmt.Errorf("make a delivery: %w", failed)
	}
	return out, ctx.Err()
}
