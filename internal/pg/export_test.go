package pg

import "context"

// UnlockAll gives up the locks of a session behind its back.
func UnlockAll(ctx context.Context, s *LockSession) error {
	_, err := s.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	return err
}
