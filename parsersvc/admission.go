package parsersvc

import "context"

// admission bounds how many files are inside at once: one in each child, and a queue of twice that. A unary call that
// finds no place is refused at once, because another replica may have one. A stream waits for its files' places, which
// is its backpressure; all streams together leave a third of the places to unary calls.
type admission struct {
	places  chan struct{}
	streams chan struct{}
	open    chan struct{}
}

// streamsPerChild bounds how many streams may be open: each holds one file while it waits.
const streamsPerChild = 8

func newAdmission(children int) *admission {
	return &admission{
		places:  make(chan struct{}, 3*children),
		streams: make(chan struct{}, 2*children),
		open:    make(chan struct{}, streamsPerChild*children),
	}
}

// try gives a place, or false when all are taken.
func (a *admission) try() (leave func(), ok bool) { return take(a.places) }

// tryStream lets a stream in, or not.
func (a *admission) tryStream() (leave func(), ok bool) { return take(a.open) }

func take(places chan struct{}) (func(), bool) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, true
	default:
		return nil, false
	}
}

// wait gives a file of a stream its place, or ctx's error.
func (a *admission) wait(ctx context.Context) (leave func(), err error) {
	select {
	case a.streams <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a.places <- struct{}{}:
		return func() { <-a.places; <-a.streams }, nil
	case <-ctx.Done():
		<-a.streams
		return nil, ctx.Err()
	}
}

// inside gives how many files have a place.
func (a *admission) inside() int { return len(a.places) }
