package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
)

// watchEvery is how often a Watch looks.
const watchEvery = 5 * time.Millisecond

// span is a time in which something stood still.
type span struct{ from, to time.Time }

// Watch looks, while deliveries are sent, at what they may have to wait for: the disk, which is asked to write a page
// of a file of its own on Postgres' file system; the processors, on which a sleeper wants to run again; what Postgres'
// processes say that they wait for; and the files of its log, which are made while commits wait. It takes a little of
// the disk and of a processor itself.
type Watch struct {
	stop    context.CancelFunc
	all     sync.WaitGroup
	wal     string
	before  map[string]bool
	disk    []span
	late    []span
	waiting []waits

	mu  sync.Mutex
	err error
}

// waits is what Postgres' processes waited for at one moment, each counted.
type waits struct {
	at time.Time
	of map[string]int
}

// Watch begins to look. Stop ends it.
func (b *Bench) Watch(ctx context.Context) (*Watch, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &Watch{stop: stop, wal: filepath.Join(b.dir, "postgres", "data", "pg_wal")}
	db, err := pg.Open(ctx, b.url, "openrabbit-load-watch", 1)
	if err != nil {
		stop()
		return nil, err
	}
	file, err := os.Create(filepath.Join(b.dir, "watch"))
	if err != nil {
		stop()
		db.Close()
		return nil, fmt.Errorf("watch the disk: %w", err)
	}
	w.before = w.files()
	w.all.Go(func() {
		defer func() { _ = file.Close() }()
		page := make([]byte, 8<<10)
		w.every(ctx, func() error {
			begun := time.Now()
			if _, err := file.WriteAt(page, 0); err != nil {
				return fmt.Errorf("watch the disk: %w", err)
			}
			if err := flush(file); err != nil {
				return fmt.Errorf("watch the disk: %w", err)
			}
			w.disk = append(w.disk, span{begun, time.Now()})
			return nil
		})
	})
	w.all.Go(func() {
		for ctx.Err() == nil {
			due := time.Now().Add(time.Millisecond)
			time.Sleep(time.Millisecond)
			w.late = append(w.late, span{due, time.Now()})
		}
	})
	w.all.Go(func() {
		defer db.Close()
		w.every(ctx, func() error { return w.ask(ctx, db) })
	})
	return w, nil
}

func (w *Watch) every(ctx context.Context, look func() error) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := look(); err != nil && ctx.Err() == nil {
			w.fail(err)
			return
		}
	}
}

func (w *Watch) ask(ctx context.Context, db *pg.DB) error {
	rows, err := db.Pool().Query(ctx, `SELECT concat_ws(' ', CASE backend_type WHEN 'client backend' THEN application_name ELSE backend_type END,
			COALESCE(wait_event_type || ':' || wait_event, 'runs')), count(*)
		FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (state = 'active' OR backend_type <> 'client backend')
			AND wait_event_type IS DISTINCT FROM 'Activity' GROUP BY 1`)
	if err != nil {
		return fmt.Errorf("watch Postgres: %w", err)
	}
	defer rows.Close()
	now := waits{at: time.Now(), of: map[string]int{}}
	for rows.Next() {
		var what string
		var n int
		if err := rows.Scan(&what, &n); err != nil {
			return fmt.Errorf("watch Postgres: %w", err)
		}
		now.of[what] = n
	}
	w.waiting = append(w.waiting, now)
	return rows.Err()
}

func (w *Watch) files() map[string]bool {
	entries, err := os.ReadDir(w.wal)
	if err != nil {
		w.fail(err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}

// fail remembers what kept one of the lookers from looking.
func (w *Watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
}

// Stop ends the watching.
func (w *Watch) Stop() { w.stop(); w.all.Wait() }

// failed says what kept it from looking; nil is fine with a Watch that is nil.
func (w *Watch) failed() error {
	if w == nil {
		return nil
	}
	return w.err
}

func (s span) meets(o span) bool { return s.from.Before(o.to) && o.from.Before(s.to) }

// longer keeps the spans that took at least this long, and gives the longest of all.
func longer(spans []span, least time.Duration) (long []span, most time.Duration) {
	for _, s := range spans {
		took := s.to.Sub(s.from)
		if most = max(most, took); took >= least {
			long = append(long, s)
		}
	}
	return long, most
}

// Explain writes what stood still while answers took longer than slow. Call it after Stop.
func (w *Watch) Explain(out io.Writer, got Outcome, slow time.Duration) {
	const still = 2 * time.Millisecond
	disk, mostDisk := longer(w.disk, still)
	late, mostLate := longer(w.late, still)
	made := 0
	for name := range w.files() {
		if !w.before[name] {
			made++
		}
	}
	fmt.Fprintf(out, "the disk took more than %s in %d of %d looks, %s at most; a sleeper was as late in %d of %d, %s at most; %d files of the log are new\n",
		still, len(disk), len(w.disk), mostDisk.Round(time.Microsecond), len(late), len(w.late), mostLate.Round(time.Microsecond), made)
	var all, byDisk, byLate, byEither int
	during := make([]bool, len(w.waiting))
	for _, s := range got.Sent {
		if s.Took < slow {
			continue
		}
		all++
		of := span{s.Done.Add(-s.Took), s.Done}
		d, l := slices.ContainsFunc(disk, of.meets), slices.ContainsFunc(late, of.meets)
		byDisk, byLate, byEither = byDisk+one(d), byLate+one(l), byEither+one(d || l)
		for i, x := range w.waiting {
			during[i] = during[i] || x.at.After(of.from) && x.at.Before(of.to)
		}
	}
	fmt.Fprintf(out, "%d answers took more than %s: meanwhile the disk stood still for %d of them, a processor was missing for %d, one or the other for %d\n",
		all, slow, byDisk, byLate, byEither)
	w.tell(out, during)
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// tell writes what Postgres' processes waited for in the looks that fell into slow answers.
func (w *Watch) tell(out io.Writer, during []bool) {
	then, always := map[string]int{}, map[string]int{}
	looks := 0
	for i, x := range w.waiting {
		looks += one(during[i])
		for what, n := range x.of {
			always[what] += n
			then[what] += n * one(during[i])
		}
	}
	names := slices.SortedFunc(maps.Keys(then), func(x, y string) int { return cmp.Or(cmp.Compare(then[y], then[x]), cmp.Compare(x, y)) })
	for _, name := range names {
		if then[name] > 0 {
			fmt.Fprintf(out, "  in %d looks meanwhile %d: %s (in all %d looks: %d)\n", looks, then[name], name, len(w.waiting), always[name])
		}
	}
}
