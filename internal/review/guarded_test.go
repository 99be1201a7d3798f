package review

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestAPanicIsAFailedReview: a panic on one of the engine's goroutines is an error of the review, not the process's end.
func TestAPanicIsAFailedReview(t *testing.T) {
	t.Parallel()
	err := inParallel(t.Context(), 3, 2, func(_ context.Context, i int) error {
		if i == 1 {
			panic("boom")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "boom") || !strings.Contains(err.Error(), "guarded_test.go") {
		t.Errorf("want the panic with its place, got %v", err)
	}
	if err := guarded(func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("an error became %v", err)
	}
}
