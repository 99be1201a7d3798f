package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/internal/localpg"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/migrations"
)

// Bench is a Postgres of its own, with fsync, and gateways started beside it as processes.
type Bench struct {
	dir    string
	server *localpg.Server
	// url stays the same when the server is started again.
	url string
	// Self is the command that runs Serve in a process of its own: this program, with its first argument.
	self []string
	out  io.Writer
}

// secret is what a load test signs with.
const secret = "only for load tests"

// NewBench starts Postgres. self is the command line that serves what the environment says (ServeFromEnv); settings are
// Postgres', as name=value, beside those that the embedded server has.
func NewBench(ctx context.Context, self, settings []string, out io.Writer) (*Bench, error) {
	// Below /tmp: as root, Postgres runs as another user, who must be able to get there.
	dir, err := os.MkdirTemp("/tmp", "openrabbit-load-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	b := &Bench{dir: dir, self: self, out: out}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres' user must enter it
		return nil, errors.Join(fmt.Errorf("open the directory: %w", err), os.RemoveAll(dir))
	}
	if err := b.StartPostgres(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	b.url = b.server.URL()
	if err := b.set(ctx, settings); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	db, err := b.Open(ctx)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	defer db.Close()
	if err := errors.Join(pg.Migrate(ctx, db, migrations.Files), queue.Migrate(ctx, db)); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// set changes settings and starts Postgres again with them.
func (b *Bench) set(ctx context.Context, settings []string) error {
	if len(settings) == 0 {
		return nil
	}
	db, err := b.Open(ctx)
	if err != nil {
		return err
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		if _, err := db.Pool().Exec(ctx, `ALTER SYSTEM SET `+name+` = '`+value+`'`); err != nil { // the words of who measures
			db.Close()
			return fmt.Errorf("set %s: %w", setting, err)
		}
	}
	db.Close()
	if err := b.server.Stop(ctx); err != nil {
		return err
	}
	return b.StartPostgres(ctx)
}

// StartPostgres starts the server, again after it was killed.
func (b *Bench) StartPostgres(ctx context.Context) error {
	server, err := localpg.Start(ctx, localpg.Options{DataDir: filepath.Join(b.dir, "postgres"), Fetch: true})
	if err == nil {
		b.server = server
	}
	return err
}

// Open opens the database.
func (b *Bench) Open(ctx context.Context) (*pg.DB, error) {
	return pg.Open(ctx, b.url, "openrabbit-load-check", 4)
}

// Postmaster gives the process of Postgres with its children.
func (b *Bench) Postmaster() (Processes, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return Processes{}, fmt.Errorf("find Postgres: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return Processes{}, fmt.Errorf("find Postgres: %w", err)
	}
	return Processes{root: pid}, nil
}

// Close stops Postgres and removes everything.
func (b *Bench) Close() error {
	var err error
	if b.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = b.server.Stop(ctx)
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// Empty removes the rows of earlier rounds.
func (b *Bench) Empty(ctx context.Context) error {
	db, err := b.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, sql := range []string{`TRUNCATE installations, deliveries, quarantine, river_job CASCADE`, `CHECKPOINT`} {
		if _, err := db.Pool().Exec(ctx, sql); err != nil {
			return fmt.Errorf("empty the database: %w", err)
		}
	}
	return nil
}

// Gateway is one that runs as a process.
type Gateway struct {
	Processes
	Addr string
	cmd  *exec.Cmd
	// ended is closed when the process has ended; landed then says whether its fault struck.
	ended  chan struct{}
	landed bool
}

// StartGateway starts a gateway and waits until it receives.
func (b *Bench) StartGateway(ctx context.Context, s Serving) (*Gateway, error) {
	s.DatabaseURL, s.Secret = b.url, secret
	cmd := exec.Command(b.self[0], b.self[1:]...)
	cmd.Env = append(os.Environ(), "OPENRABBIT_LOG_LEVEL=error", "DATABASE_URL="+s.DatabaseURL, "LOAD_VARIANT="+string(s.Variant),
		"LOAD_ADDR="+s.Addr, "LOAD_CONNECTIONS="+strconv.Itoa(s.Connections),
		"OPENRABBIT_FAILPOINT="+s.Failpoint)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start gateway: %w", err)
	}
	complaints, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start gateway: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start gateway: %w", err)
	}
	g := &Gateway{Processes: Processes{root: cmd.Process.Pid}, cmd: cmd, ended: make(chan struct{})}
	go func() {
		lines := bufio.NewScanner(complaints)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "failpoint landed: ") {
				g.landed = true
			}
			if os.Getenv("LOAD_VERBOSE") != "" {
				fmt.Fprintln(os.Stderr, lines.Text())
			}
		}
		_ = cmd.Wait()
		close(g.ended)
	}()
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		g.Stop()
		return nil, fmt.Errorf("start gateway: it ended before it received: %w", err)
	}
	g.Addr = strings.TrimSpace(line)
	return g, ctx.Err()
}

// Stop ends the process in order, or at once when it does not.
func (g *Gateway) Stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-time.After(15 * time.Second):
		_ = g.cmd.Process.Kill()
		<-g.ended
	}
}

// ServeFromEnv is Serve for the process that StartGateway starts: it writes its address to out.
func ServeFromEnv(ctx context.Context, out io.Writer) error {
	connections, err := strconv.Atoi(os.Getenv("LOAD_CONNECTIONS"))
	if err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	return Serve(ctx, Serving{
		Variant: Variant(os.Getenv("LOAD_VARIANT")), DatabaseURL: os.Getenv("DATABASE_URL"), Secret: secret,
		Addr: os.Getenv("LOAD_ADDR"), Connections: connections, Failpoint: os.Getenv("OPENRABBIT_FAILPOINT"),
	}, func(addr string) { fmt.Fprintln(out, addr) })
}
