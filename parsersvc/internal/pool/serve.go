package pool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// enter puts a job in line and gives it to a child if one takes it.
func (p *Pool) enter(j *job) error {
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		return ErrStopped
	}
	p.waiting = append(p.waiting, j)
	full := p.handOut()
	p.mu.Unlock()
	p.deliver(full)
	return nil
}

// leave takes a job that nobody wants any more out of the line, or out of a child's pipe. It says whether it was there.
func (p *Pool) leave(j *job) bool {
	p.mu.Lock()
	for _, d := range p.desks {
		if d.ahead == j {
			p.waiting = slices.Concat(d.takeBack(), p.waiting)
		}
	}
	i := slices.Index(p.waiting, j)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	full := p.handOut()
	p.mu.Unlock()
	p.deliver(full)
	return i >= 0
}

// handOut gives the jobs in line to children, the first first, and gives the desks whose outboxes somebody must empty. A
// child that does nothing comes before the pipe of one that works, and of those the one that has worked for longest.
func (p *Pool) handOut() (full []*desk) {
	for {
		idle := p.idle()
		if len(p.waiting) == 0 && idle != nil {
			p.waiting = p.takeFromOthers()
		}
		if len(p.waiting) == 0 {
			return full
		}
		j, d := p.waiting[0], idle
		switch {
		case j.time() <= 0:
			j.answer <- result{err: context.DeadlineExceeded}
		case idle != nil:
			idle.give(j)
		default:
			// The first in line is not overtaken by who would fit into a pipe: it would wait for ever.
			if d = p.longest(func(d *desk) bool { return d.takesAhead(j, p.cfg.RequestsPerChild) }); d == nil || !d.giveAhead(j) {
				return full
			}
		}
		p.waiting = slices.Delete(p.waiting, 0, 1)
		if d != nil && len(d.outbox) > 0 && !d.writing {
			d.writing = true
			full = append(full, d)
		}
	}
}

// idle gives a child that has nothing to do.
func (p *Pool) idle() *desk {
	if i := slices.IndexFunc(p.desks, func(d *desk) bool { return d.current == nil }); i >= 0 {
		return p.desks[i]
	}
	return nil
}

// longest gives the child that has worked on its request for longest, of those that are asked for.
func (p *Pool) longest(of func(*desk) bool) *desk {
	var out *desk
	for _, d := range p.desks {
		if of(d) && (out == nil || d.begun.Before(out.begun)) {
			out = d
		}
	}
	return out
}

// takeFromOthers takes back what lies in the pipe of a child that works.
func (p *Pool) takeFromOthers() []*job {
	tried := make(map[*desk]bool)
	for {
		d := p.longest(func(d *desk) bool { return d.ahead != nil && !tried[d] })
		if d == nil {
			return nil
		}
		if back := d.takeBack(); len(back) > 0 {
			return back
		}
		tried[d] = true
	}
}

// deliver writes what is in outboxes.
func (p *Pool) deliver(full []*desk) {
	for _, d := range full {
		for kind, r, ok := p.toWrite(d); ok; kind, r, ok = p.toWrite(d) {
			d.proc.send(kind, r)
		}
	}
}

// toWrite takes the next request out of an outbox. When there is none, nobody writes any more.
func (p *Pool) toWrite(d *desk) (wire.Kind, wire.Request, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(d.outbox) == 0 {
		d.writing = false
		return 0, wire.Request{}, false
	}
	j := d.outbox[0]
	d.outbox = slices.Delete(d.outbox, 0, 1)
	return j.req.Kind, wire.Request{Limit: j.time(), Token: j.token, Message: j.req.Message}, true
}

// serve takes a child's answers until it must be replaced, and says why.
func (p *Pool) serve(proc *process) Reason {
	d := &desk{proc: proc, alarm: time.AfterFunc(time.Hour, proc.kill)}
	d.alarm.Stop()
	p.sit(d)
	for {
		f, err := proc.frames.Read()
		if reason := p.take(d, f, err); reason != "" {
			return reason
		}
	}
}

// sit opens a child's desk. The first of all is news. That there is none for the moment in which one takes another's
// place is not: that is told when the other does not start.
func (p *Pool) sit(d *desk) {
	p.mu.Lock()
	p.desks = append(p.desks, d)
	if p.stopped {
		d.proc.kill()
	}
	full := p.handOut()
	p.mu.Unlock()
	if !p.told.Swap(true) {
		p.observer.Serving(true)
	}
	p.once.Do(func() { close(p.begun) })
	p.deliver(full)
}

// take does what an answer, or a child's end, asks for. A reason says that the child is of no use any more.
func (p *Pool) take(d *desk, f wire.Frame, err error) Reason {
	p.mu.Lock()
	j := d.current
	if j == nil {
		// It was asked nothing.
		p.loseLocked(d, Crashed, "")
		return Crashed
	}
	if !d.alarm.Stop() {
		p.loseLocked(d, TimedOut, "no answer within "+d.limit.Round(time.Millisecond).String())
		return TimedOut
	}
	r, good := read(f)
	if err != nil || !good {
		detail := ""
		if err == nil {
			detail = fmt.Sprintf("it answered with a frame of kind %d", f.Kind)
		}
		p.loseLocked(d, Crashed, detail)
		return Crashed
	}
	j.answer <- r
	reason := d.answered(f.Kind == wire.Last, p.cfg.RequestsPerChild)
	if reason != "" {
		p.loseLocked(d, reason, "")
		return reason
	}
	full := p.handOut()
	p.mu.Unlock()
	p.deliver(full)
	return ""
}

// read gives what a frame says, or false when no child of ours says such a thing.
func read(f wire.Frame) (result, bool) {
	switch f.Kind {
	case wire.Answer, wire.Last:
		return result{body: f.Body}, true
	case wire.Failed:
		return result{err: &Failed{Detail: strings.ToValidUTF8(string(f.Body[:min(len(f.Body), 300)]), "")}}, true
	default:
		return result{}, false
	}
}

// loseLocked closes a child's desk and has the child ended. Who was being worked on is told why, in these words or
// those of the child's end; who was not begun is first in line again. It is called with the lock, and lets it go.
func (p *Pool) loseLocked(d *desk, reason Reason, detail string) {
	p.desks = slices.DeleteFunc(p.desks, func(o *desk) bool { return o == d })
	begun, back := d.close()
	if p.stopped {
		for _, j := range back {
			j.answer <- result{err: ErrStopped}
		}
		back = nil
	}
	p.waiting = slices.Concat(back, p.waiting)
	full, stopped := p.handOut(), p.stopped
	p.mu.Unlock()
	// A process with much memory takes a while to be gone. Its place is not kept empty for that.
	p.ending.Go(func() {
		p.deliver(full)
		if detail == "" {
			d.proc.end()
			detail = d.proc.detail()
		}
		switch {
		case begun == nil && reason == Crashed && !stopped:
			p.log.Warn("parser child ended by itself", "detail", detail)
		case begun == nil:
		case stopped:
			begun.answer <- result{err: ErrStopped}
		default:
			begun.answer <- result{err: &Killed{reason, detail, d.limit}}
		}
		d.proc.end()
	})
}

// stop ends all children, and tells those who wait.
func (p *Pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	for _, j := range p.waiting {
		j.answer <- result{err: ErrStopped}
	}
	p.waiting = nil
	for _, d := range p.desks {
		d.proc.kill()
	}
}
