package gateway_test

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// step is one delivery about the pull request.
type step struct {
	action       string
	second       int
	before, head string
}

func (w *world) step(s step) reply {
	w.t.Helper()
	return w.deliver(event(s.action, s.second, s.before, s.head))
}

// live gives the heads of reviews that have not ended, and checks that exactly their jobs wait.
func (w *world) live() string {
	w.t.Helper()
	var heads string
	var orphans int
	if err := w.db.Pool().QueryRow(w.t.Context(), `SELECT
		COALESCE((SELECT string_agg(head, ',') FROM reviews WHERE state IN ('queued', 'running')), ''),
		(SELECT count(*) FROM reviews r JOIN river_job j ON j.id = r.job_id
			WHERE (r.state IN ('queued', 'running')) <> (j.state IN ('available', 'running')))`).Scan(&heads, &orphans); err != nil {
		w.t.Fatal(err)
	}
	if orphans != 0 {
		w.t.Errorf("%d jobs do not fit their review's state", orphans)
	}
	return heads
}

func TestWhateverTheOrderTheNewestHeadIsReviewed(t *testing.T) {
	t.Parallel()
	opened, first, second := step{"opened", 0, "", headA}, step{"synchronize", 5, headA, headB}, step{"synchronize", 5, headB, headC}
	closed := step{"closed", 9, "", headC}
	w := newWorld(t)
	for name, c := range map[string]struct {
		steps []step
		want  string
	}{
		"opened, pushed twice": {[]step{opened, first, second}, headC},
		"and closed":           {[]step{opened, first, second, closed}, ""},
	} {
		permute(c.steps, func(order []step) {
			if _, err := w.db.Pool().Exec(t.Context(), `TRUNCATE installations, deliveries, river_job CASCADE`); err != nil {
				t.Fatal(err)
			}
			for _, s := range order {
				if got := w.step(s); got.code != http.StatusAccepted {
					t.Errorf("%s %v: %d", name, s, got.code)
				}
			}
			if got := w.live(); got != c.want {
				t.Errorf("%s in the order %v: live heads %q, want %q", name, order, got, c.want)
			}
		})
	}
}

func permute(all []step, f func([]step)) {
	var rec func(done, rest []step)
	rec = func(done, rest []step) {
		if len(rest) == 0 {
			f(done)
			return
		}
		for i := range rest {
			others := append(append([]step(nil), rest[:i]...), rest[i+1:]...)
			rec(append(append([]step(nil), done...), rest[i]), others)
		}
	}
	rec(nil, all)
}

func TestFiftyPushesAtOnceLeaveOneJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sha := func(i int) string { return fmt.Sprintf("%040x", i) }
	w.step(step{"opened", 0, "", sha(0)})
	var all sync.WaitGroup
	for i := 1; i <= 50; i++ {
		r := w.request("pull_request", event("synchronize", i/5, sha(i-1), sha(i)))
		all.Go(func() {
			if got, err := w.try(r); err != nil || got.code != http.StatusAccepted {
				t.Errorf("push %d: %d, %v", i, got.code, err)
			}
		})
	}
	all.Wait()
	if got := w.live(); got != sha(50) {
		t.Errorf("live heads %q, want only the last", got)
	}
	if n := w.count(`river_job WHERE state = 'available'`); n != 1 {
		t.Errorf("%d jobs wait, want 1", n)
	}
}

func TestOldReplays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step(step{"opened", 0, "", headA})
	w.step(step{"synchronize", 5, headA, headB})
	// Four days later our row of the first delivery might be gone; its second tells that it is old.
	if _, err := w.db.Pool().Exec(t.Context(), `DELETE FROM deliveries`); err != nil {
		t.Fatal(err)
	}
	w.expect(w.step(step{"opened", 0, "", headA}), http.StatusAccepted, "ignored", "stale")
	w.step(step{"closed", 9, "", headB})
	if _, err := w.db.Pool().Exec(t.Context(), `DELETE FROM deliveries`); err != nil {
		t.Fatal(err)
	}
	w.expect(w.step(step{"synchronize", 5, headA, headB}), http.StatusAccepted, "ignored", "stale")
	w.expect(w.step(step{"synchronize", 9, headB, headC}), http.StatusAccepted, "ignored", "closed")
	if got := w.live(); got != "" {
		t.Errorf("live heads %q", got)
	}
}

func TestAReRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.step(step{"opened", 0, "", headA})
	if _, err := w.db.Pool().Exec(t.Context(), `UPDATE reviews SET state = 'clean', ended_at = now()`); err != nil {
		t.Fatal(err)
	}
	rerun := func(review string, run, app, repository int) []byte {
		return []byte(fmt.Sprintf(`{"action":"rerequested","check_run":{"id":%d,"head_sha":%q,"external_id":%q,"app":{"id":%d}},
			"repository":{"id":%d,"full_name":"acme/shop"},"installation":{"id":7},"sender":{"login":"ann","type":"User"}}`,
			run, headA, review, app, repository))
	}
	send := func(body []byte) reply { return w.send(w.request("check_run", body)) }
	w.expect(send(rerun(first.Review, 1, 6, 70)), http.StatusAccepted, "ignored", "not_our_check")
	w.expect(send(rerun(first.Review, 2, 5, 71)), http.StatusAccepted, "ignored", "not_our_check")
	w.expect(send(rerun("0191c1a4-0000-7000-8000-000000000000", 3, 5, 70)), http.StatusAccepted, "ignored", "not_our_check")
	again := send(rerun(first.Review, 4, 5, 70))
	w.expect(again, http.StatusAccepted, "accepted", "")
	w.expect(send(rerun(first.Review, 4, 5, 70)), http.StatusOK, "duplicate", "same_meaning")
	if n := w.count(`reviews WHERE id = $1 AND head = $2 AND generation = 2 AND forced AND job_id IS NOT NULL`, again.Review, headA); n != 1 {
		t.Errorf("%d second generations", n)
	}
}

func TestAllChecksReRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step(step{"opened", 0, "", headA})
	if _, err := w.db.Pool().Exec(t.Context(), `UPDATE reviews SET state = 'clean', ended_at = now()`); err != nil {
		t.Fatal(err)
	}
	send := func(suite, app int, head string) reply {
		return w.send(w.request("check_suite", []byte(fmt.Sprintf(`{"action":"rerequested","check_suite":{"id":%d,"head_sha":%q,"app":{"id":%d}},
			"repository":{"id":70,"full_name":"acme/shop"},"installation":{"id":7},"sender":{"login":"ann","type":"User"}}`, suite, head, app))))
	}
	w.expect(send(1, 6, headA), http.StatusAccepted, "ignored", "not_our_check")
	w.expect(send(2, 5, headB), http.StatusAccepted, "ignored", "not_our_check")
	again := send(3, 5, headA)
	w.expect(again, http.StatusAccepted, "accepted", "")
	if n := w.count(`reviews WHERE id = $1 AND number = 12 AND head = $2 AND generation = 2 AND forced AND job_id IS NOT NULL`, again.Review, headA); n != 1 {
		t.Errorf("%d second generations", n)
	}
}

func TestAnotherBaseIsReviewedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step(step{"opened", 0, "", headA})
	if _, err := w.db.Pool().Exec(t.Context(), `UPDATE reviews SET state = 'clean', ended_at = now()`); err != nil {
		t.Fatal(err)
	}
	w.expect(w.step(step{"edited", 3, "", headA}), http.StatusAccepted, "ignored", "nothing_to_do")
	edited := bytes.Replace(event("edited", 4, "", headA), []byte(`"number":12,`), []byte(`"number":12,"changes":{"base":{"ref":{"from":"main"}}},`), 1)
	again := w.deliver(edited)
	w.expect(again, http.StatusAccepted, "accepted", "")
	if n := w.count(`reviews WHERE id = $1 AND head = $2 AND generation = 2`, again.Review, headA); n != 1 {
		t.Errorf("%d second generations", n)
	}
}

func TestInstallationsAreFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	install := func(event, action, more string) {
		t.Helper()
		w.expect(w.send(w.request(event, []byte(`{"action":"`+action+`",`+more+
			`"installation":{"id":7,"account":{"login":"acme"},"updated_at":1525109899},"sender":{"login":"ann","type":"User"}}`))),
			http.StatusAccepted, "accepted", "")
	}
	install("installation", "created", `"repositories":[{"id":70,"full_name":"acme/shop"},{"id":71,"full_name":"acme/site"}],`)
	install("installation_repositories", "added", `"repositories_added":[{"id":72,"full_name":"acme/api"}],"repositories_removed":[],`)
	install("repository", "renamed", `"repository":{"id":71,"full_name":"acme/web","default_branch":"trunk"},`)
	if n := w.count(`repositories WHERE installation_id = 7 AND full_name IN ('acme/shop', 'acme/web', 'acme/api')`); n != 3 {
		t.Errorf("%d repositories, want 3", n)
	}
	install("installation", "suspend", "")
	if n := w.count(`installations WHERE account = 'acme' AND suspended_at IS NOT NULL`); n != 1 {
		t.Error("not suspended")
	}
	install("installation", "unsuspend", "")
	w.step(step{"opened", 0, "", headA})
	install("installation_repositories", "removed", `"repositories_removed":[{"id":70,"full_name":"acme/shop"}],`)
	if n := w.count(`river_job WHERE state = 'cancelled'`); n != 1 {
		t.Errorf("%d jobs of the removed repository are cancelled, want 1", n)
	}
	install("installation", "deleted", "")
	if n := w.count(`installations`) + w.count(`repositories`) + w.count(`reviews`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if w.count(`deliveries`) != 8 {
		t.Error("the deliveries were forgotten: they would count again")
	}
}
