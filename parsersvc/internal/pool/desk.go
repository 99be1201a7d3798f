package pool

import (
	"slices"
	"time"
)

// mostAhead is how large a message may be that is sent to a child which has another: what is larger takes long enough
// that the way to its child does not count, and a pipe holds this whole, so that whoever writes it never waits for the
// file in front of it.
const mostAhead = 48 << 10

// desk is one child's place in the pool while it lives. Its fields are the pool's, under its lock.
type desk struct {
	proc *process
	// current is being worked on since begun; ahead lies in the child's pipe behind it.
	current, ahead *job
	begun          time.Time
	// limit is what current has, and alarm kills the child when it is over.
	limit time.Duration
	alarm *time.Timer
	// tokens counts what was sent ahead. A request that is ahead is the child's when it has read the token.
	tokens byte
	// spoilt says that one was taken back from behind current: a second would fill the pipe.
	spoilt bool
	// given is how many requests the child has got, of those that it begins.
	given int
	// outbox is what is to be written, in order; one goroutine writes.
	outbox  []*job
	writing bool
}

// job is a request on its way. It is answered once, into a channel that holds the answer if nobody waits any more.
type job struct {
	req      Request
	deadline time.Time
	answer   chan result
	// token is that of a request that was sent ahead, 0 of another.
	token byte
	// back says that a child died before it began this: it is not sent ahead any more, so that it ends.
	back bool
}

type result struct {
	body []byte
	err  error
}

// time gives how long the job may take from now on: its caller's deadline ends it too.
func (j *job) time() time.Duration {
	if j.deadline.IsZero() {
		return j.req.Limit
	}
	return min(j.req.Limit, time.Until(j.deadline)-killMargin)
}

// begin makes a job the current one.
func (d *desk) begin(j *job) {
	d.current, d.begun, d.limit, d.spoilt = j, time.Now(), j.time(), false
	d.alarm.Reset(max(d.limit, 0))
}

// give gives a job to a child that has none.
func (d *desk) give(j *job) {
	j.token = 0
	d.given++
	d.outbox = append(d.outbox, j)
	d.begin(j)
}

// takesAhead says whether a job may be sent to a child behind what it has.
func (d *desk) takesAhead(j *job, most int) bool {
	return d.current != nil && d.ahead == nil && !d.spoilt && d.given < most && !j.back && len(j.req.Message) <= mostAhead
}

// giveAhead sends a job to a child behind what it has. It says whether that could be done.
func (d *desk) giveAhead(j *job) bool {
	d.tokens = max(d.tokens+1, 1)
	if !d.proc.putToken(d.tokens) {
		return false
	}
	j.token = d.tokens
	d.given++
	d.ahead = j
	d.outbox = append(d.outbox, j)
	return true
}

// takeBack takes the jobs out of the child's pipe that it has not begun, the one ahead among them; it gives none when
// the child has begun them all.
func (d *desk) takeBack() []*job {
	var out []*job
	for _, token := range d.proc.takeTokens() {
		for _, j := range []*job{d.current, d.ahead} {
			if j != nil && j.token == token {
				out = append(out, j)
			}
		}
	}
	for _, j := range out {
		d.given--
		d.spoilt = true
		d.outbox = slices.DeleteFunc(d.outbox, func(o *job) bool { return o == j })
		if j == d.ahead {
			d.ahead = nil
		}
		if j == d.current {
			d.current = nil
			d.alarm.Stop()
		}
	}
	return out
}

// answered takes the current job off the desk; the one ahead is the next. A reason says that the child is to be replaced.
func (d *desk) answered(last bool, most int) Reason {
	next := d.ahead
	d.current, d.ahead = nil, nil
	switch {
	case last:
		// It ends without looking at what is in its pipe.
		d.ahead = next
		return Grown
	case next != nil:
		d.begin(next)
	case d.given >= most:
		return Recycled
	}
	return ""
}

// close takes everything off the desk of a child that has ended, or is to: what it was working on, and what it had not
// begun.
func (d *desk) close() (begun *job, back []*job) {
	d.alarm.Stop()
	begun = d.current
	if begun != nil && begun.token != 0 && slices.Contains(d.proc.takeTokens(), begun.token) {
		back, begun = append(back, begun), nil
	}
	if d.ahead != nil {
		back = append(back, d.ahead)
	}
	for _, j := range back {
		j.back = true
	}
	d.current, d.ahead, d.outbox = nil, nil, nil
	return begun, back
}
