package store_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

func TestPosting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.Posting(w.created(by(0, "opened", "", "a")).ID)
	if state, err := p.Load(w.ctx()); err != nil || !reflect.DeepEqual(state, post.State{}) {
		t.Fatalf("at first: %+v, %v", state, err)
	}
	var tried []post.Tried
	for _, step := range []post.State{
		{Stage: post.StageIntent, Tried: []post.Tried{{Comment: "c", Form: 1, Cleared: true}, {Comment: "d", Refused: true}}},
		{Stage: post.StageIntent}, {Stage: post.StageDrafted, ReviewID: 8},
		{Stage: post.StageIntent}, {Stage: post.StageDrafted, ReviewID: 9}, {Stage: post.StageDone, ReviewID: 9},
	} {
		before := time.Now()
		if err := p.Advance(w.ctx(), step.Stage, step.ReviewID); err != nil {
			t.Fatal(err)
		}
		if len(step.Tried) > 0 {
			if err := p.Learn(w.ctx(), step.Tried); err != nil {
				t.Fatal(err)
			}
			tried = step.Tried
		}
		got, err := p.Load(w.ctx())
		if err != nil || got.Stage != step.Stage || got.ReviewID != step.ReviewID || !slices.Equal(got.Tried, tried) {
			t.Errorf("%+v, %v, want %+v and %v tried", got, err, step, tried)
		}
		if got.AttemptedAt.Before(before.Add(-time.Second)) || got.AttemptedAt.After(time.Now().Add(time.Second)) {
			t.Errorf("attempted at %v, want about now", got.AttemptedAt)
		}
	}
	var attempts int
	if err := w.db.Pool().QueryRow(w.ctx(), `SELECT attempts FROM postings`).Scan(&attempts); err != nil || attempts != 3 {
		t.Errorf("%d attempts, %v, want 3", attempts, err)
	}
	if _, err := w.db.Pool().Exec(w.ctx(), `UPDATE postings SET attempted_at = attempted_at - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Load(w.ctx()); err != nil || time.Since(got.AttemptedAt) < 59*time.Minute {
		t.Errorf("attempted at %v, %v, want an hour ago", got.AttemptedAt, err)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.created(by(0, "opened", "", "a")).ID
	stored := []store.StoredFinding{
		{Shown: store.ShownComment, Finding: finding.Finding{
			Anchor: diff.Anchor{Path: "a.go", Side: diff.New, Start: 3, End: 4}, Path: "a.go", Severity: finding.High,
			Category: finding.Bug, Title: "one", Body: "b", Suggestion: "", HasSuggestion: true, Confidence: 0.75,
			Scope: "F", Fingerprint: "v1:1", Source: finding.FromModel, Quote: "x",
		}},
		{Shown: store.ShownWalkthrough, Finding: finding.Finding{
			Path: "b.go", Severity: finding.Low, Category: finding.Security, Title: "two", Body: "b", Fingerprint: "v1:2",
			Source: finding.FromFact, Rule: "secret",
		}},
		{Shown: store.ShownNowhere, Finding: finding.Finding{Path: "c.go", Severity: finding.Info, Category: finding.Test, Fingerprint: "v1:3"}},
	}
	for range 2 { // a retry writes them again
		if err := w.SaveFindings(w.ctx(), first, stored); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.FindingsOf(w.ctx(), first)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(stored, got); d != "" {
		t.Error(d)
	}
	second := w.created(by(1, "synchronize", "a", "b")).ID
	if err := w.SaveFindings(w.ctx(), second, []store.StoredFinding{stored[0], {
		Shown:   store.ShownComment,
		Finding: finding.Finding{Path: "d\x00.go", Severity: finding.Medium, Category: finding.API, Body: "\xff", Fingerprint: "v1:4"},
	}}); err != nil {
		t.Fatal(err)
	}
	shown, err := w.ShownFindings(w.ctx(), repository, number)
	if err != nil || len(shown) != 3 {
		t.Fatalf("%d shown, %v", len(shown), err)
	}
	for i, want := range []struct {
		fingerprint finding.Fingerprint
		review      review.ID
		head        string
	}{{"v1:1", first, "a"}, {"v1:2", first, "a"}, {"v1:4", second, "b"}} {
		if got := shown[i]; got.Finding.Fingerprint != want.fingerprint || got.Review != want.review || got.Head != want.head {
			t.Errorf("shown %d is %+v, want %+v", i, got, want)
		}
	}
	if other, err := w.ShownFindings(w.ctx(), repository, number+1); err != nil || len(other) != 0 {
		t.Errorf("another pull request's: %v, %v", other, err)
	}
}

func TestCleanUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, sql := range []string{
		`INSERT INTO deliveries (guid, event, decision, received_at) SELECT 'old' || n, 'e', 'd', now() - interval '9 days'
			FROM generate_series(1, 4500) n`,
		`INSERT INTO deliveries (guid, event, decision, received_at) VALUES ('new', 'e', 'd', now() - interval '7 days')`,
		`INSERT INTO quarantine (guid, event, problem, body, received_at) VALUES
			('a', 'e', 'p', 'b', now() - interval '25 hours'), ('b', 'e', 'p', 'b', now() - interval '23 hours')`,
		`INSERT INTO model_calls (installation_id, request_hash, purpose, created_at) VALUES
			(1, 'a', 'p', now() - interval '31 days'), (1, 'b', 'p', now() - interval '29 days')`,
		`INSERT INTO content_requests (installation_id, units, at) VALUES (1, 1, now() - interval '3 hours'), (1, 1, now() - interval '1 hour')`,
	} {
		if _, err := w.db.Pool().Exec(w.ctx(), sql); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.CleanUp(w.ctx(), store.Retention{})
	if want := (store.Cleaned{Deliveries: 4500, Quarantine: 1, ModelCalls: 1, ContentRequests: 1}); err != nil || got != want {
		t.Errorf("cleaned %+v, %v, want %+v", got, err, want)
	}
	if got, err := w.CleanUp(w.ctx(), store.Retention{Deliveries: time.Hour}); err != nil || got.Deliveries != 1 {
		t.Errorf("cleaned %+v, %v with a retention of an hour", got, err)
	}
}

func TestInstallations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.created(by(0, "opened", "", "a"))
	w.tx(func(ctx context.Context, tx pg.Tx) error {
		if err := w.SetJob(ctx, tx, r.ID, 44); err != nil {
			return err
		}
		if err := w.UpsertInstallation(ctx, tx, installation, "acme"); err != nil {
			return err
		}
		if err := w.SuspendInstallation(ctx, tx, installation, true); err != nil {
			return err
		}
		return w.UpsertRepository(ctx, tx, store.Repository{ID: repository, InstallationID: installation, FullName: "acme/market"})
	})
	found, err := w.RepositoryByName(w.ctx(), "Acme/MARKET")
	want := store.Repository{ID: repository, InstallationID: installation, FullName: "acme/market", DefaultBranch: "main"}
	if err != nil || found != want {
		t.Errorf("renamed to %+v, %v, want %+v", found, err, want)
	}
	if _, err := w.RepositoryByName(w.ctx(), fullName); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the old name: %v", err)
	}
	var account string
	var suspended bool
	if err := w.db.Pool().QueryRow(w.ctx(), `SELECT account, suspended_at IS NOT NULL FROM installations`).Scan(&account, &suspended); err != nil ||
		account != "acme" || !suspended {
		t.Errorf("account %q, suspended %v, %v", account, suspended, err)
	}
	w.record(delivery("kept", ""))
	if _, err := w.Reserve(w.ctx(), call("h", r.ID, 1), store.Limits{}); err != nil {
		t.Fatal(err)
	}
	w.tx(func(ctx context.Context, tx pg.Tx) error { // of another installation: nothing
		jobs, err := w.DeleteRepositories(ctx, tx, installation+1, []review.RepositoryID{repository})
		if len(jobs) != 0 {
			t.Errorf("cancelled %v of another installation", jobs)
		}
		return err
	})
	var jobs []int64
	w.tx(func(ctx context.Context, tx pg.Tx) (err error) {
		jobs, err = w.DeleteInstallation(ctx, tx, installation)
		return err
	})
	if !slices.Equal(jobs, []int64{44}) {
		t.Errorf("jobs to cancel %v, want 44", jobs)
	}
	for table, want := range map[string]int{
		"installations": 0, "repositories": 0, "pull_requests": 0, "reviews": 0, "model_calls": 0, "deliveries": 1,
	} {
		var rows int
		if err := w.db.Pool().QueryRow(w.ctx(), `SELECT count(*) FROM `+table).Scan(&rows); err != nil || rows != want {
			t.Errorf("%d %s, %v, want %d", rows, table, err, want)
		}
	}
}
