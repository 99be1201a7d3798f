package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// ContentLimits are how much an installation may create on GitHub, in units: a request is one, and each comment that it
// carries is another. A limit of 0 or less is none.
type ContentLimits struct {
	Minute, Hour int
}

const (
	// arrival is how much later than it was written down a request may reach GitHub. The windows are so much longer than
	// a minute and an hour that no delay puts more into one of GitHub's than is allowed.
	arrival      = 20 * time.Second
	minuteWindow = time.Minute + arrival
	hourWindow   = time.Hour + arrival

	// firstStrike is what GitHub asks for at least where it does not say how long to wait; then it doubles.
	firstStrike = time.Minute
	// maxWait is the longest wait: the longest of GitHub's limits resets within the hour.
	maxWait = time.Hour
	// forgiven is after how long without a limit the doubling begins anew.
	forgiven = time.Hour
)

// Gate keeps one installation's calls to GitHub within its limits. Its memory is the database, so all workers share it.
type Gate struct {
	db     *pg.DB
	id     review.InstallationID
	limits ContentLimits
	clock  func() time.Time
}

// Gate gives the gate of an installation. The clock is for simulations; nil means the database's, which all workers
// share.
func (s *Store) Gate(id review.InstallationID, limits ContentLimits, clock func() time.Time) *Gate {
	return &Gate{db: s.db, id: id, limits: limits, clock: clock}
}

// at gives the time for a statement: NULL means the database's.
func (g *Gate) at() *time.Time {
	if g.clock == nil {
		return nil
	}
	now := g.clock()
	return &now
}

// Enter asks whether a request may be sent now. With a wait of more than zero it may not, and nothing was written down.
// Else the units that it creates are, under the ticket, which is 0 where there are none.
func (g *Gate) Enter(ctx context.Context, units int) (ticket int64, wait time.Duration, err error) {
	if units <= 0 || g.limits.Minute <= 0 && g.limits.Hour <= 0 {
		wait, err = g.blocked(ctx, g.db.Pool())
	} else {
		err = pg.InTx(ctx, g.db, func(ctx context.Context, tx pg.Tx) (err error) {
			// One at a time, or two would see the same room.
			if err := pg.LockTx(ctx, tx, fmt.Sprintf("openrabbit content of installation %d", g.id)); err != nil {
				return err
			}
			if wait, err = g.blocked(ctx, tx); err != nil || wait > 0 {
				return err
			}
			ticket, wait, err = g.reserve(ctx, tx, units)
			return err
		})
	}
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the limits of installation %d: %w", g.id, err)
	}
	return ticket, wait, nil
}

// blocked gives how long GitHub still wants the installation to be left alone.
func (g *Gate) blocked(ctx context.Context, q querier) (time.Duration, error) {
	var seconds float64
	err := q.QueryRow(ctx, `SELECT extract(epoch FROM blocked_until - COALESCE($2, clock_timestamp()))::float8
		FROM rate_limits WHERE installation_id = $1 AND resource = 'core'`, int64(g.id), g.at()).Scan(&seconds)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return duration(seconds), err
}

// Room says when there may be room for so many units, 0 for now, and keeps none: for who would do much before it asks.
func (g *Gate) Room(ctx context.Context, units int) (time.Duration, error) {
	wait, err := g.blocked(ctx, g.db.Pool())
	if err == nil && wait == 0 {
		wait, err = g.room(ctx, g.db.Pool(), g.fitting(units))
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the limits of installation %d: %w", g.id, err)
	}
	return wait, nil
}

// fitting bounds units by the limits: what is larger would never fit.
func (g *Gate) fitting(units int) int {
	for _, limit := range []int{g.limits.Minute, g.limits.Hour} {
		if limit > 0 {
			units = min(units, limit)
		}
	}
	return units
}

// reserve writes the units down if both windows have room for them, and else says when they will.
func (g *Gate) reserve(ctx context.Context, tx pg.Tx, units int) (ticket int64, wait time.Duration, err error) {
	units = g.fitting(units)
	if _, err := tx.Exec(ctx, `DELETE FROM content_requests
		WHERE installation_id = $1 AND at <= COALESCE($2, clock_timestamp()) - $3::interval`, int64(g.id), g.at(), hourWindow); err != nil {
		return 0, 0, err
	}
	if wait, err = g.room(ctx, tx, units); err != nil || wait > 0 {
		return 0, wait, err
	}
	err = tx.QueryRow(ctx, `INSERT INTO content_requests (installation_id, units, at)
		VALUES ($1, $2, COALESCE($3, clock_timestamp())) RETURNING id`, int64(g.id), units, g.at()).Scan(&ticket)
	return ticket, 0, err
}

// room says how long it is until both windows have room for the units.
func (g *Gate) room(ctx context.Context, q querier, units int) (wait time.Duration, err error) {
	for _, window := range []struct {
		limit  int
		length time.Duration
	}{{g.limits.Minute, minuteWindow}, {g.limits.Hour, hourWindow}} {
		if window.limit <= 0 {
			continue
		}
		// The newest request with which, counted from the newest on, there is no room must have left the window.
		var seconds float64
		err := q.QueryRow(ctx, `SELECT COALESCE(max(extract(epoch FROM at + $2::interval - COALESCE($3, clock_timestamp()))), 0)::float8
			FROM (SELECT at, sum(units) OVER (ORDER BY at DESC, id DESC) AS newer FROM content_requests WHERE installation_id = $1) r
			WHERE newer > $4`, int64(g.id), window.length, g.at(), window.limit-units).Scan(&seconds)
		if err != nil {
			return 0, err
		}
		wait = max(wait, duration(seconds))
	}
	return wait, nil
}

// Settle corrects the units of a request that turned out to create fewer.
func (g *Gate) Settle(ctx context.Context, ticket int64, units int) error {
	_, err := g.db.Pool().Exec(ctx, `UPDATE content_requests SET units = LEAST(units, $2) WHERE id = $1`, ticket, units)
	if err != nil {
		return fmt.Errorf("settle a request of installation %d: %w", g.id, err)
	}
	return nil
}

// Limited notes that GitHub refused a call because of a limit, and gives how long the installation is left alone. Told is
// what GitHub asked for; with 0 it did not say, and we wait a minute, and twice as long each time it happens again soon
// after. Of several workers that meet the same limit only the first counts.
func (g *Gate) Limited(ctx context.Context, told time.Duration) (time.Duration, error) {
	var seconds float64
	err := g.db.Pool().QueryRow(ctx, `INSERT INTO rate_limits AS r (installation_id, resource, blocked_until, strikes)
		VALUES ($1, 'core', COALESCE($2, clock_timestamp()) + CASE WHEN $3::interval > '0' THEN $3::interval ELSE $4::interval END,
			CASE WHEN $3::interval > '0' THEN 0 ELSE 1 END)
		ON CONFLICT (installation_id, resource) DO UPDATE SET
			blocked_until = CASE
				WHEN $3::interval > '0' THEN GREATEST(r.blocked_until, excluded.blocked_until)
				WHEN r.blocked_until > COALESCE($2, clock_timestamp()) THEN r.blocked_until
				WHEN r.blocked_until > COALESCE($2, clock_timestamp()) - $6::interval
					THEN COALESCE($2, clock_timestamp()) + LEAST($5::interval, $4::interval * (2 ^ LEAST(r.strikes, 20))::float8)
				ELSE excluded.blocked_until END,
			strikes = CASE
				WHEN $3::interval > '0' OR r.blocked_until > COALESCE($2, clock_timestamp()) THEN r.strikes
				WHEN r.blocked_until > COALESCE($2, clock_timestamp()) - $6::interval THEN r.strikes + 1
				ELSE 1 END
		RETURNING extract(epoch FROM blocked_until - COALESCE($2, clock_timestamp()))::float8`,
		int64(g.id), g.at(), min(told, maxWait), firstStrike, maxWait, forgiven).Scan(&seconds)
	if err != nil {
		return 0, fmt.Errorf("write rate limit of installation %d: %w", g.id, err)
	}
	return duration(seconds), nil
}

// duration makes a Duration of seconds, in whole milliseconds, rounded up: who comes back then is not a moment early. It
// is never less than nothing.
func duration(seconds float64) time.Duration {
	return max(0, time.Duration(math.Ceil(seconds*1000))*time.Millisecond)
}
