package load

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// rowsScript inserts the rows of one delivery, or of so many in one transaction: what a database does for ours when
// nobody asks it anything and nobody decides.
const rowsScript = `\set x random(1, 2000000000)
BEGIN;
INSERT INTO pull_requests (repository_id, number, latest_head, event_at, tied_heads)
	SELECT {repository}, (:x + i) % 2000000000 + 1, lpad(to_hex(:x + i), 40, '0'), now(), ARRAY[lpad(to_hex(:x + i), 40, '0')]
	FROM generate_series(1, {n}) i ON CONFLICT DO NOTHING;
INSERT INTO reviews (id, installation_id, repository_id, number, head, generation, job_id)
	SELECT gen_random_uuid(), {installation}, {repository}, (:x + i) % 2000000000 + 1, lpad(to_hex(:x + i), 40, '0'), 1, 1
	FROM generate_series(1, {n}) i ON CONFLICT DO NOTHING;
INSERT INTO river_job (args, kind, max_attempts, priority, queue)
	SELECT jsonb_build_object('review_id', gen_random_uuid(), 'installation_id', {installation}, 'repository_id', {repository},
		'repository', 'acme/warehouse', 'number', :x + i, 'head', lpad(to_hex(:x + i), 40, '0'), 'generation', 1),
		'review_pull_request', 12, 2, 'fast' FROM generate_series(1, {n}) i;
INSERT INTO deliveries (guid, meaning, event, action, installation_id, repository_id, number, head, decision, review_id, job_id)
	SELECT gen_random_uuid()::text, concat('pull_request/opened/', {repository}, '/', :x + i, '/', lpad(to_hex(:x + i), 40, '0')),
		'pull_request', 'opened', {installation}, {repository}, 7, lpad(to_hex(:x + i), 40, '0'), 'review', gen_random_uuid(), 1
	FROM generate_series(1, {n}) i ON CONFLICT DO NOTHING;
COMMIT;
`

var tps = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// Pgbench lets Postgres' own load tool insert the rows of deliveries, n in a transaction, and gives deliveries a second
// and Postgres' processor time for each. ok is false when pgbench is not installed.
func (b *Bench) Pgbench(ctx context.Context, n, clients int, duration time.Duration) (perSecond float64, cpu time.Duration, ok bool, err error) {
	tool, err := findPgbench()
	if err != nil {
		return 0, 0, false, nil //nolint:nilerr // a machine without it is fine
	}
	if err := b.Empty(ctx); err != nil {
		return 0, 0, true, err
	}
	db, err := b.Open(ctx)
	if err != nil {
		return 0, 0, true, err
	}
	defer db.Close()
	_, err = db.Pool().Exec(ctx, `WITH i AS (INSERT INTO installations (id) VALUES ($1))
		INSERT INTO repositories (id, installation_id, full_name) VALUES ($2, $1, $3)`, installationID, repositoryID, repositoryName)
	if err != nil {
		return 0, 0, true, fmt.Errorf("prepare pgbench: %w", err)
	}
	script := strings.NewReplacer("{n}", strconv.Itoa(n), "{repository}", strconv.Itoa(repositoryID),
		"{installation}", strconv.Itoa(installationID)).Replace(rowsScript)
	file := filepath.Join(b.dir, fmt.Sprintf("rows%d.sql", n))
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return 0, 0, true, fmt.Errorf("prepare pgbench: %w", err)
	}
	postgres, err := b.Postmaster()
	if err != nil {
		return 0, 0, true, err
	}
	before := postgres.CPU()
	out, err := exec.CommandContext(ctx, tool, "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "1",
		"-T", strconv.Itoa(int(duration.Seconds())), "-f", file, b.url).CombinedOutput()
	after := postgres.CPU()
	found := tps.FindSubmatch(out)
	if err != nil || found == nil {
		return 0, 0, true, fmt.Errorf("run pgbench: %w: %s", err, out)
	}
	transactions, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return 0, 0, true, fmt.Errorf("read pgbench: %w", err)
	}
	var rows int
	if err := db.Pool().QueryRow(ctx, `SELECT count(*) FROM deliveries`).Scan(&rows); err != nil || rows == 0 {
		return 0, 0, true, fmt.Errorf("count pgbench's rows (%d): %w", rows, err)
	}
	return transactions * float64(n), (after - before) / time.Duration(rows), true, nil
}

func findPgbench() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil || len(found) == 0 {
		return "", exec.ErrNotFound
	}
	return found[len(found)-1], nil
}
