//go:build unix

package torture_test

import (
	"os"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/torture"
)

// run builds the binaries and carries out a plan; its log is kept when it fails.
func run(t *testing.T, plan torture.Plan) torture.Verdict {
	t.Helper()
	if testing.Short() {
		t.Skip("starts and kills real processes, for a minute; not with -short")
	}
	bin := t.TempDir()
	if err := torture.Build(t.Context(), bin); err != nil {
		t.Fatal(err)
	}
	url := pgtest.NewURL(t)
	db, err := pg.Open(t.Context(), url, "torture", 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	output, err := os.CreateTemp("", "openrabbit-torture-*.log")
	if err != nil {
		t.Fatal(err)
	}
	log := torture.NewLog(output)
	verdict, err := torture.Run(t.Context(), plan, bin, db, url, log, output)
	output.Close()
	if err != nil || !verdict.OK() {
		t.Fatalf("%v\n%s\nthe processes' output and the events are in %s", err, verdict, output.Name())
	}
	os.Remove(output.Name())
	t.Log(verdict)
	return verdict
}

func kill(service, point string) torture.Fault {
	return torture.Fault{Service: service, Point: point, Action: failpoint.Kill}
}

// TestKilledAndFrozen kills orchestrators around each of their checkpoints and the gateway around its commit, freezes
// an orchestrator before its visible step, and lets GitHub apply writes that it then answers with 502.
func TestKilledAndFrozen(t *testing.T) {
	t.Parallel()
	verdict := run(t, torture.Plan{
		Seed: 1, PullRequests: 16, Redeliver: 0.3, Replay: 0.2, Supersede: 0.2, Orchestrators: 2,
		Faults: []torture.Fault{
			kill("gateway", "inserted"), kill("gateway", "committed"),
			kill("orchestrator", "model_called"), kill("orchestrator", "result_saved"), kill("orchestrator", "drafted"),
			{Service: "orchestrator", Point: "before_submit", Action: failpoint.Freeze},
			kill("orchestrator", "submitted"),
		},
		GitHub: []githubtest.Fault{
			{Route: "POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews", When: githubtest.AfterCommit, Status: 502, Times: 2},
			{Route: "POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}/events", When: githubtest.AfterCommit, Status: 502, Times: 2},
		},
		JobTimeout: 8 * time.Second, RescueAfter: 10 * time.Second, ModelDelay: 200 * time.Millisecond,
		Patience: 4 * time.Minute, Quiet: 10 * time.Second,
	})
	if verdict.Recovered != 9 {
		t.Errorf("%d faults landed, want 9", verdict.Recovered)
	}
}
