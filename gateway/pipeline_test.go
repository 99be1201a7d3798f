package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// book is a database that takes a while.
type book struct {
	mu      sync.Mutex
	batches [][]string
	// takes is how long a transaction takes, refuses says which it refuses.
	takes   time.Duration
	refuses func(guids []string) error
	// underWay counts the transactions that commit.
	underWay atomic.Int32
}

func (b *book) commit(ctx context.Context, ds []Delivery, written func()) ([]Outcome, error) {
	select {
	case <-time.After(b.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	written()
	if b.underWay.Add(1) > maxCommitting+1 {
		panic("too many transactions at a time")
	}
	defer b.underWay.Add(-1)
	select {
	case <-time.After(b.takes / 2):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var guids []string
	outcomes := make([]Outcome, len(ds))
	for i, d := range ds {
		guids = append(guids, d.GUID)
		outcomes[i].Reason = d.GUID
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuses != nil {
		if err := b.refuses(guids); err != nil {
			return nil, err
		}
	}
	b.batches = append(b.batches, guids)
	return outcomes, nil
}

var errRace = errors.New("lost a race")

func (b *book) pipeline() *pipeline {
	return &pipeline{commit: b.commit, again: func(err error) bool { return errors.Is(err, errRace) }}
}

// rests says whether nobody leads, commits or waits.
func (p *pipeline) rests() bool {
	return !p.led && p.committing == 0 && len(p.gather) == 0 && p.next == nil
}

// TestTheNextBatchBeginsWhenACommitEnds: with a disk that takes longer than what comes before the commit, a batch that
// has written while another commits does not keep the next one waiting for its own commit.
func TestTheNextBatchBeginsWhenACommitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := map[string]time.Duration{}
		start := time.Now()
		disk := make(chan struct{}, 1) // it takes one commit at a time, a second each
		p := &pipeline{again: func(error) bool { return false }, commit: func(_ context.Context, ds []Delivery, written func()) ([]Outcome, error) {
			begun[ds[0].GUID] = time.Since(start)
			time.Sleep(200 * time.Millisecond)
			written()
			disk <- struct{}{}
			time.Sleep(time.Second)
			<-disk
			return make([]Outcome, len(ds)), nil
		}}
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 150 * time.Millisecond)
				if _, err := p.Accept(t.Context(), Delivery{GUID: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		// The first is written at 200 ms and commits until 1200, the second then commits until 2200.
		if begun["1"] != 200*time.Millisecond || begun["2"] != 1200*time.Millisecond {
			t.Errorf("the second batch began after %s, want 200ms; the third after %s, want 1.2s", begun["1"], begun["2"])
		}
		if !p.rests() {
			t.Error("the pipeline does not rest")
		}
	})
}

func TestWhileABatchCommitsTheNextOneGathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{takes: time.Second}
		p := b.pipeline()
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				guid := fmt.Sprintf("%02d", i)
				if got, err := p.Accept(t.Context(), Delivery{GUID: guid}); err != nil || got.Reason != guid {
					t.Errorf("%s was answered %+v, %v", guid, got, err)
				}
			})
		}
		all.Wait()
		sizes := ""
		for _, batch := range b.batches {
			sizes += fmt.Sprint(len(batch), " ")
			if !slices.IsSorted(batch) {
				t.Errorf("the order of arrival was lost: %v", batch)
			}
		}
		if !strings.HasPrefix(sizes, "1 ") || len(b.batches) > 5 {
			t.Errorf("batches of %s: the first should not wait, the others should gather", sizes)
		}
		if !p.rests() {
			t.Error("the pipeline does not rest")
		}
	})
}

func TestOneBadDeliveryFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		races := 0
		b := &book{takes: time.Second, refuses: func(guids []string) error {
			if slices.Contains(guids, "bad") {
				return boom
			}
			if races++; races%2 == 1 {
				return errRace
			}
			return nil
		}}
		p := b.pipeline()
		var all sync.WaitGroup
		for _, guid := range []string{"first", "a", "bad", "b", "c"} {
			all.Go(func() {
				got, err := p.Accept(t.Context(), Delivery{GUID: guid})
				if guid == "bad" {
					if !errors.Is(err, boom) {
						t.Errorf("the bad one: %+v, %v", got, err)
					}
				} else if err != nil || got.Reason != guid {
					t.Errorf("%s: %+v, %v", guid, got, err)
				}
			})
		}
		all.Wait()
		if n := len(slices.Concat(b.batches...)); n != 4 {
			t.Errorf("%d deliveries were committed, want 4", n)
		}
	})
}

func TestWhoGivesUpIsAnsweredInTimeAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	{
		synctest.Test(t, func(t *testing.T) {
			b := &book{takes: time.Hour}
			p := b.pipeline()
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					time.Sleep(time.Duration(i%7) * time.Second)
					begun := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
					defer cancel()
					if _, err := p.Accept(ctx, Delivery{GUID: fmt.Sprint(i)}); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%d: %v", i, err)
					}
					if took := time.Since(begun); took > 4*time.Second {
						t.Errorf("%d was answered after %s", i, took)
					}
				})
			}
			all.Wait()
			b.takes = time.Millisecond
			if _, err := p.Accept(t.Context(), Delivery{GUID: "after"}); err != nil {
				t.Errorf("after the hang: %v", err)
			}
			if !p.rests() {
				t.Error("the pipeline does not rest")
			}
		})
	}
}

func TestAPanicAbandonsItsBatchOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{takes: time.Second, refuses: func(guids []string) error {
			if slices.Contains(guids, "panic") {
				panic("boom")
			}
			return nil
		}}
		p := b.pipeline()
		var all sync.WaitGroup
		send := func(guid string, after time.Duration, want error) {
			all.Go(func() {
				time.Sleep(after)
				defer func() { _ = recover() }()
				if _, err := p.Accept(t.Context(), Delivery{GUID: guid}); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", guid, err, want)
				}
			})
		}
		send("first", 0, nil)
		send("beside", 100*time.Millisecond, errAbandoned)
		send("panic", 200*time.Millisecond, errAbandoned)
		send("later", 1500*time.Millisecond, nil)
		all.Wait()
		if !p.rests() {
			t.Error("nobody can lead any more")
		}
	})
}

// TestChaos: whatever comes, every sender is answered, and at most what was committed is answered without an error.
func TestChaos(t *testing.T) {
	t.Parallel()
	{
		synctest.Test(t, func(t *testing.T) {
			n := 0
			b := &book{takes: 30 * time.Millisecond, refuses: func([]string) error {
				if n++; n%5 == 0 {
					return errors.New("refused")
				}
				return nil
			}}
			p := b.pipeline()
			var all sync.WaitGroup
			var mu sync.Mutex
			answered := map[string]bool{}
			for i := range 2000 {
				all.Go(func() {
					time.Sleep(time.Duration(i*i%3001) * time.Millisecond)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(10+i%90)*time.Millisecond)
					defer cancel()
					if got, err := p.Accept(ctx, Delivery{GUID: fmt.Sprint(i)}); err == nil {
						mu.Lock()
						answered[got.Reason] = true
						mu.Unlock()
					}
				})
			}
			all.Wait()
			committed := slices.Concat(b.batches...)
			if len(answered) == 0 || len(answered) > len(committed) {
				t.Errorf("%d answered, %d committed", len(answered), len(committed))
			}
			for guid := range answered {
				if !slices.Contains(committed, guid) {
					t.Errorf("%s was answered and not committed", guid)
				}
			}
			if !p.rests() {
				t.Error("the pipeline does not rest")
			}
		})
	}
}
