//go:build linux && cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// tree analyses all files of a tree in one stream on two cores, as an index does, and watches the memory of the service
// and its children.
func tree(ctx context.Context, o options) error {
	if len(o.trees) == 0 {
		return errors.New("which tree?")
	}
	if err := pin(0, 1); err != nil {
		return err
	}
	o.mib = 0
	c, err := corpus(o)
	if err != nil {
		return err
	}
	files := all(c)
	s, err := start(ctx, 2)
	if err != nil {
		return err
	}
	defer s.stop()
	conn, client, err := dial(ctx, s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	var most atomic.Int64
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if n := s.resident(); n > most.Load() {
				most.Store(n)
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	took, err := analyze(ctx, client, files)
	close(done)
	watch.Wait()
	if err != nil {
		return err
	}
	mb := float64(bytesOf(files)) / 1e6
	fmt.Printf("%d files, %.1f MB in %.1f s (%.1f MB/s, %.0f files/s); service and children took %d MB at most\n",
		len(files), mb, took.Seconds(), mb/took.Seconds(), float64(len(files))/took.Seconds(), most.Load()/1e6)
	for _, l := range languagesOf(c) {
		fmt.Printf("  %-12s %6d files %7.1f MB\n", l, len(c[l]), float64(bytesOf(c[l]))/1e6)
	}
	if took > o.limit {
		return fmt.Errorf("it took longer than %s", o.limit)
	}
	return nil
}
