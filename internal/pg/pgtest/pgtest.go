//go:build unix

// Package pgtest gives each test a database of its own on a real Postgres.
//
// One private server is started for each test process (or OPENRABBIT_TEST_DATABASE_URL names one whose role may create
// databases); our migrations and River's run once into a template, and every New clones it. Tests may be parallel,
// within a process and across packages. The server dies with the process, and what a process left on the disk is
// removed when it ends or, if it was killed, when the next one starts.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/localpg"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/migrations"
)

const (
	setupTimeout = 3 * time.Minute
	stepTimeout  = time.Minute
	maxConns     = 4
)

// fixture is the server of this process and the name of its template.
type fixture struct {
	url      string
	template string
	// held keeps the server's directory until the process ends.
	held *os.File
	// cloning is held while a database is cloned: Postgres refuses a template that another clone has open.
	cloning sync.Mutex
	count   atomic.Int64
}

// shared is made by the first test that needs it and lives as long as the process: it is the one thing tests share.
var shared = sync.OnceValues(newFixture)

// New gives an empty, migrated database, which is dropped at the end of the test.
func New(t testing.TB) *pg.DB {
	t.Helper()
	return Open(t, NewURL(t))
}

// NewURL gives the address of an empty, migrated database, for tests that open it themselves, or from another process.
// It is dropped at the end of the test, with the connections that are still there.
func NewURL(t testing.TB) string {
	t.Helper()
	f, err := shared()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := fmt.Sprintf("%s_%d", f.template, f.count.Add(1))
	if err := f.clone(name); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := f.exec("DROP DATABASE IF EXISTS " + quote(name) + " WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: drop database: %v", err)
		}
	})
	return withDatabase(f.url, name)
}

// Open opens a pool of a few connections, which is closed at the end of the test.
func Open(t testing.TB, url string) *pg.DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	db, err := pg.Open(ctx, url, "openrabbit-test", maxConns)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(db.Close)
	return db
}

func newFixture() (*fixture, error) {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	f := &fixture{url: os.Getenv("OPENRABBIT_TEST_DATABASE_URL")}
	if f.url == "" {
		dir, held, err := makeDir()
		if err != nil {
			return nil, err
		}
		f.held = held
		server, err := localpg.Start(ctx, localpg.Options{DataDir: dir, Unsafe: true, Fetch: true,
			ArchiveURL: os.Getenv("OPENRABBIT_POSTGRES_ARCHIVE_URL")})
		if err != nil {
			return nil, err
		}
		f.url = server.URL()
	}
	f.template = fmt.Sprintf("openrabbit_test_%d_%d", os.Getpid(), time.Now().UnixNano())
	if err := f.exec("CREATE DATABASE " + quote(f.template)); err != nil {
		return nil, err
	}
	if err := migrate(ctx, withDatabase(f.url, f.template)); err != nil {
		return nil, err
	}
	return f, nil
}

func migrate(ctx context.Context, url string) error {
	db, err := pg.Open(ctx, url, "openrabbit-test", maxConns)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := pg.Migrate(ctx, db, migrations.Files); err != nil {
		return err
	}
	return queue.Migrate(ctx, db)
}

func (f *fixture) clone(name string) error {
	f.cloning.Lock()
	defer f.cloning.Unlock()
	return f.exec("CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(f.template))
}

// exec runs one statement on a connection of its own: databases are made and dropped outside transactions.
func (f *fixture) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, f.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// withDatabase puts another database into a URL.
func withDatabase(address, name string) string {
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		// The key=value form: the last mention of a key wins.
		return address + " dbname=" + name
	}
	u.Path = "/" + name
	return u.String()
}
