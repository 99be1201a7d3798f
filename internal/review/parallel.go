package review

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// readsAtOnce bounds the files of one review that are read side by side. What a forge bears is its client's to know.
const readsAtOnce = 32

// guarded makes a panic of do an error: on a goroutine of its own it would end the process, and with it the reviews of
// other people.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a part of the review panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return do()
}

// inParallel calls do for 0 to n-1, at most limit at once, and waits for all. The first error, by number, is returned
// and stops the others; one that only says that it was stopped does not hide its cause.
func inParallel(ctx context.Context, n, limit int, do func(ctx context.Context, i int) error) error {
	if n == 0 {
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(limit, n) {
		wg.Go(func() {
			for i := range next {
				if errs[i] = guarded(func() error { return do(ctx, i) }); errs[i] != nil {
					cancel()
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			errs[i] = ctx.Err()
			break feed
		}
	}
	close(next)
	wg.Wait()
	var stopped error
	for _, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled):
			if stopped == nil {
				stopped = err
			}
		default:
			return err
		}
	}
	return stopped
}
