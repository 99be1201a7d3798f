package pg

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const lockInterval = 50 * time.Millisecond

// ErrLockLost says that a session does not hold its locks any more: it was cut, and another may hold them now.
var ErrLockLost = errors.New("the session's lock is lost")

// LockSession is one connection outside the pool that holds advisory locks until it is closed or cut. Its methods may
// be called from several goroutines; they run one after the other.
type LockSession struct {
	mu   sync.Mutex
	conn *pgx.Conn
	keys map[string]int64
}

// Session opens a connection of its own, so that holding a lock for minutes takes nothing from the pool.
func Session(ctx context.Context, db *DB) (*LockSession, error) {
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return &LockSession{conn: conn, keys: make(map[string]int64)}, nil
}

// EndWhenIdle makes Postgres end the session, and give up its locks, once it was silent for so long. Without it a holder
// that is frozen, or whose machine is gone, keeps its locks for as long as the kernel keeps the connection.
func (s *LockSession) EndWhenIdle(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms := max(1, d.Milliseconds()) // 0 would mean never
	if _, err := s.conn.Exec(ctx, `SELECT set_config('idle_session_timeout', $1, false)`, strconv.FormatInt(ms, 10)); err != nil {
		return fmt.Errorf("bound the session's silence: %w", err)
	}
	return nil
}

// lockKey maps a name to a key of an advisory lock.
func lockKey(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// LockTx waits for the lock of this name and holds it to the end of the transaction. Take it as the last lock of a
// transaction, or always in the same order, or two transactions may wait for each other.
func LockTx(ctx context.Context, tx Tx, name string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey(name)); err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	return nil
}

// TryLock takes the lock of this name if nobody else holds it, and says whether it is ours. It never waits for it.
// Taking a lock that we hold is fine. The lock is the same one as LockTx's of that name.
func (s *LockSession) TryLock(ctx context.Context, name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, held := s.keys[name]; held {
		return true, nil
	}
	key := lockKey(name)
	var got bool
	if err := s.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&got); err != nil {
		return false, fmt.Errorf("lock %s: %w", name, err)
	}
	if got {
		s.keys[name] = key
	}
	return got, nil
}

// Lock waits for the lock of this name until ctx ends. It asks again and again rather than waiting inside Postgres: a
// waiting statement would hold a snapshot, which the holder's CREATE INDEX CONCURRENTLY would wait for in turn.
func (s *LockSession) Lock(ctx context.Context, name string) error {
	tick := time.NewTicker(lockInterval)
	defer tick.Stop()
	for {
		got, err := s.TryLock(ctx, name)
		if err != nil || got {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", name, ctx.Err())
		case <-tick.C:
		}
	}
}

// Check asks in the session itself whether it still holds every lock it took, and gives ErrLockLost when it does not
// or when it does not answer before ctx ends. After an error of Check the session is of no more use.
func (s *LockSession) Check(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) == 0 {
		return fmt.Errorf("%w: none was taken", ErrLockLost)
	}
	keys := make([]int64, 0, len(s.keys))
	for _, key := range s.keys {
		keys = append(keys, key)
	}
	var held int
	// A lock on a bigint shows its halves in classid and objid, with objsubid 1.
	err := s.conn.QueryRow(ctx, `SELECT count(DISTINCT k.key) FROM unnest($1::bigint[]) AS k(key) JOIN pg_locks l
		ON l.locktype = 'advisory' AND l.granted AND l.pid = pg_backend_pid() AND l.objsubid = 1
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND ((l.classid::bigint << 32) | l.objid::bigint) = k.key`, keys).Scan(&held)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLockLost, err)
	}
	if held != len(keys) {
		return fmt.Errorf("%w: %d of %d held", ErrLockLost, held, len(keys))
	}
	return nil
}

// Close closes the connection and with it gives up the locks. Closing twice is fine.
func (s *LockSession) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	_ = s.conn.Close(ctx)
}
