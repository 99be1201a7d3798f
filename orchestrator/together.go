package orchestrator

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/review"
)

const (
	// parallelQuestions is how many questions of one review may be open at once: as many as a large one has, for the
	// ceiling that counts is the model tier's, which is fair between reviews.
	parallelQuestions = 64
	// parallelReads is how many files all reviews of a process read from GitHub at once. GitHub allows 100 requests at a
	// time, for all that an App does.
	parallelReads = 48
)

// together makes calls side by side and waits for all of them. Its error is the first one's, in their order. None stops
// another: a write that is cut off leaves behind that nobody knows whether it was done.
func together(ctx context.Context, calls ...func(context.Context) error) error {
	errs := make([]error, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() {
			// A panic on a goroutine of its own would end the process, and with it the reviews of other people.
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("a part of the attempt panicked: %v\n%s", p, debug.Stack())
				}
			}()
			errs[i] = call(ctx)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// boundedFiles reads files when one of a number of slots is free.
type boundedFiles struct {
	*github.Files
	slots chan struct{}
}

var _ review.Tree = (*boundedFiles)(nil)

// Read implements review.Files.
func (f *boundedFiles) Read(ctx context.Context, side diff.Side, path string) ([]byte, error) {
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-f.slots }()
	return f.Files.Read(ctx, side, path)
}
