package pool

import (
	"runtime"
	"sync"
)

// forker starts children on one thread that lives as long as the pool: the system kills a child when the thread that
// started it ends, not only when the process does.
type forker struct {
	requests chan forkRequest
	once     sync.Once
}

type forkRequest struct {
	command []string
	answer  chan forkAnswer
}

type forkAnswer struct {
	proc *process
	err  error
}

func newForker() *forker { return &forker{requests: make(chan forkRequest)} }

// start starts a child. The thread begins with the first.
func (f *forker) start(command []string) (*process, error) {
	f.once.Do(func() { go f.run() })
	answer := make(chan forkAnswer, 1)
	f.requests <- forkRequest{command, answer}
	a := <-answer
	return a.proc, a.err
}

func (f *forker) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for r := range f.requests {
		proc, err := newProcess(r.command)
		r.answer <- forkAnswer{proc, err}
	}
}

// stop ends the thread. No child may live, and nobody may call start again.
func (f *forker) stop() { close(f.requests) }
