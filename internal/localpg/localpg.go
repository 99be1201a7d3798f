//go:build unix

// Package localpg runs a private Postgres for a machine that has none to offer: it finds the binaries (or fetches them
// once, if allowed), makes a cluster, and keeps the server as a child of this process.
//
// It promises that the server is reached only through a Unix socket in a directory that nobody else may enter (so it
// needs no password), that it dies with its parent whatever kills that (on Linux), that the data survives every kind of
// end, and that one data directory is used by one process at a time. As root it drops to the user postgres, else nobody,
// because Postgres refuses to run as root.
//
// A data directory holds: data (the cluster), run (the socket, if its path is short enough), postgres.log and lock.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// role and database are what the URL names. The role is the cluster's superuser.
	role     = "openrabbit"
	database = "openrabbit"
	// port only names the socket file: every server has its own directory.
	port = "5432"

	// startTimeout bounds recovery after a crash too.
	startTimeout = 60 * time.Second
	fastTimeout  = 10 * time.Second
	quitTimeout  = 5 * time.Second
)

// Options say where the server lives and what it may do.
type Options struct {
	// DataDir keeps everything; empty means DefaultDataDir. It is made when it is not there.
	DataDir string
	// CacheDir keeps fetched binaries; empty means DefaultCacheDir.
	CacheDir string
	// Log gets a line when something slow begins; nil means silence. The server's own log is DataDir/postgres.log.
	Log *slog.Logger
	// Fetch allows downloading Postgres once when the machine has none.
	Fetch bool
	// ArchiveURL is the base of a Maven repository to fetch from when there is no npm; empty means none.
	ArchiveURL string
	// Unsafe trades durability for speed, for tests: no fsync, small buffers.
	Unsafe bool
	// BinDirs replaces the places where the system's binaries are looked for; nil means the usual ones.
	BinDirs []string
}

// Server is a running Postgres. Its methods may be called from several goroutines.
type Server struct {
	socketDir string
	child     *child
	lock      *dirLock
	version   Version
	finish    sync.Once
}

// DefaultDataDir gives the place for the data of this user: below /var/lib for root, whose home others cannot enter.
func DefaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/openrabbit/postgres", nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "openrabbit", "postgres"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the data: %w", err)
	}
	return filepath.Join(home, ".local", "share", "openrabbit", "postgres"), nil
}

// DefaultCacheDir gives the place for fetched binaries of this user.
func DefaultCacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/openrabbit/cache", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for fetched binaries: %w", err)
	}
	return filepath.Join(dir, "openrabbit"), nil
}

// Start starts the server and returns when it answers. ctx bounds the start only. A machine without Postgres gives
// ErrNotInstalled; a data directory that is in use gives a message with the pid of its user.
func Start(ctx context.Context, o Options) (*Server, error) {
	server, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start local postgres: %w", err)
	}
	return server, nil
}

func start(ctx context.Context, o Options) (s *Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout+fetchTimeout)
	defer cancel()
	if o, err = o.complete(); err != nil {
		return nil, err
	}
	clusterDir := filepath.Join(o.DataDir, "data")
	who, err := chooseOwner(clusterDir)
	if err != nil {
		return nil, err
	}
	if err := who.makeDir(o.DataDir, 0o700); err != nil {
		return nil, err
	}
	if err := who.canEnter(o.DataDir); err != nil {
		return nil, err
	}
	lock, err := lockDir(ctx, o.DataDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.release()
		}
	}()

	bin, err := o.binaries(ctx, clusterVersion(clusterDir))
	if err != nil {
		return nil, err
	}
	if err := who.canEnter(bin.Dir); err != nil {
		return nil, err
	}
	if err := initCluster(ctx, o, bin, who, clusterDir); err != nil {
		return nil, err
	}
	if err := waitForPredecessor(ctx, clusterDir); err != nil {
		return nil, err
	}
	socketDir, err := who.socketDir(o.DataDir)
	if err != nil {
		return nil, err
	}
	s, err = launch(ctx, o, bin, who, clusterDir, socketDir)
	if err != nil {
		return nil, err
	}
	s.lock = lock
	// The lock goes when the server goes, however that happens.
	go func() {
		<-s.child.done
		s.release()
	}()
	return s, nil
}

// launch starts the server and waits until it answers. When an earlier server was killed, its helper processes notice
// that a moment later, and until then Postgres refuses to start; this waits for them.
func launch(ctx context.Context, o Options, bin Binaries, who owner, clusterDir, socketDir string) (*Server, error) {
	log, err := openLog(filepath.Join(o.DataDir, "postgres.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.file.Close() }()
	args := []string{"-D", clusterDir}
	for name, value := range settings(o.Unsafe, socketDir) {
		args = append(args, "-c", name+"="+value)
	}
	for deadline := time.Now().Add(predecessorTimeout); ; {
		log.mark()
		process, err := startChild(ctx, bin.path("postgres"), args, o.DataDir, log.file, who)
		if err != nil {
			return nil, err
		}
		s := &Server{socketDir: socketDir, child: process, version: bin.Version}
		if err = s.awaitReady(ctx, log); err == nil {
			return s, nil
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitTimeout)
		stopErr := process.stop(stopping, 0)
		cancel()
		if stopErr != nil || !log.says("pre-existing shared memory block") || time.Now().After(deadline) {
			return nil, errors.Join(err, stopErr)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (o Options) complete() (Options, error) {
	var err error
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.DataDir == "" {
		if o.DataDir, err = DefaultDataDir(); err != nil {
			return o, err
		}
	}
	if o.CacheDir == "" {
		if o.CacheDir, err = DefaultCacheDir(); err != nil && o.Fetch {
			return o, err
		}
	}
	if o.DataDir, err = filepath.Abs(o.DataDir); err != nil {
		return o, err
	}
	if o.CacheDir != "" {
		o.CacheDir, err = filepath.Abs(o.CacheDir)
	}
	return o, err
}

// URL gives the address of the database, for pgx and for psql.
func (s *Server) URL() string {
	query := url.Values{"host": {s.socketDir}, "port": {port}}
	return "postgres://" + role + "@/" + database + "?" + query.Encode()
}

// Version gives the version of the server.
func (s *Server) Version() Version { return s.version }

// Done is closed when the server has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.child.done }

// Stop ends the server: a fast shutdown, an immediate one when that takes longer than ten seconds or than ctx, and
// SIGKILL as the last resort. Stopping twice is fine. The data is safe in each case.
func (s *Server) Stop(ctx context.Context) error {
	err := s.child.stop(ctx, fastTimeout)
	s.release()
	if err != nil {
		return fmt.Errorf("stop local postgres: %w", err)
	}
	return nil
}

func (s *Server) release() { s.finish.Do(s.lock.release) }

// awaitReady returns when the database exists and answers.
func (s *Server) awaitReady(ctx context.Context, log *serverLog) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	socket := filepath.Join(s.socketDir, ".s.PGSQL."+port)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ensureDatabase(ctx, socket)
		if err == nil {
			return nil
		}
		var refused *serverError
		if errors.As(err, &refused) && !refused.starting() {
			return fmt.Errorf("open the database: %w", err)
		}
		select {
		case <-s.child.done:
			return fmt.Errorf("postgres ended at once (%s); its log says: %s", s.child.outcome(), log.tail())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w (last: %w; its log says: %s)", ctx.Err(), err, log.tail())
		case <-tick.C:
		}
	}
}

func settings(unsafe bool, socketDir string) map[string]string {
	s := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": socketDir,
		"unix_socket_permissions": "0700",
		"port":                    port,
		"max_connections":         "200",
		"log_destination":         "stderr",
		"logging_collector":       "off",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"jit":                     "off",
		// initdb derives these from the size of the log's files; they are Postgres' own.
		"max_wal_size": "1GB",
		"min_wal_size": "80MB",
	}
	if unsafe {
		for name, value := range map[string]string{
			"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "16MB",
			"autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0", "checkpoint_timeout": "1h",
			"log_min_messages": "fatal",
		} {
			s[name] = value
		}
	}
	return s
}
