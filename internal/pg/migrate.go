package pg

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// migrationLock is the key of the advisory lock that lets one process migrate at a time.
const migrationLock = "openrabbit migrations"

// markerSecretBytes is the length of the key of the hidden markers.
const markerSecretBytes = 32

type migration struct {
	number   int
	name     string
	sql      string
	checksum string
}

// Migrate applies the files NNNN_name.sql of fsys that the database does not have yet, in the order of their number,
// each in its own transaction, and makes the row of settings once. Several processes may call it at the same time. A
// file that was changed after it was applied is an error; a database that is ahead of the files is not, as an older
// process may start while a newer one has migrated.
func Migrate(ctx context.Context, db *DB, fsys fs.FS) error {
	pending, err := readMigrations(fsys)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	for _, m := range pending {
		if err := InTx(ctx, db, func(ctx context.Context, tx Tx) error { return m.apply(ctx, tx) }); err != nil {
			return fmt.Errorf("apply migration %s: %w", m.name, err)
		}
	}
	if err := InTx(ctx, db, makeSettings); err != nil {
		return fmt.Errorf("make settings: %w", err)
	}
	return nil
}

func readMigrations(fsys fs.FS) ([]migration, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	migrations := make([]migration, 0, len(names))
	seen := make(map[int]string)
	for _, name := range names {
		prefix, _, ok := strings.Cut(path.Base(name), "_")
		number, err := strconv.Atoi(prefix)
		if !ok || err != nil || len(prefix) != 4 || number < 1 {
			return nil, fmt.Errorf("%s is not called NNNN_name.sql", name)
		}
		if other, twice := seen[number]; twice {
			return nil, fmt.Errorf("%s and %s have the same number", other, name)
		}
		seen[number] = name
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		migrations = append(migrations, migration{number: number, name: name, sql: string(content), checksum: hex.EncodeToString(sum[:])})
	}
	return migrations, nil
}

// apply applies one migration unless it has been.
func (m migration) apply(ctx context.Context, tx Tx) error {
	if err := LockTx(ctx, tx, migrationLock); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS openrabbit_migrations (
		number     integer PRIMARY KEY,
		name       text NOT NULL,
		checksum   text NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT now())`); err != nil {
		return err
	}
	var checksum string
	err := tx.QueryRow(ctx, `SELECT checksum FROM openrabbit_migrations WHERE number = $1`, m.number).Scan(&checksum)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return err
	case checksum != m.checksum:
		return errors.New("the file was changed after it was applied to this database")
	default:
		return nil
	}
	// Without arguments the driver sends the whole file as one simple query, which may hold many statements.
	if _, err := tx.Exec(ctx, m.sql); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO openrabbit_migrations (number, name, checksum) VALUES ($1, $2, $3)`, m.number, m.name, m.checksum)
	return err
}

// makeSettings makes the one row of secrets that the database keeps for itself, if there is such a table.
func makeSettings(ctx context.Context, tx Tx) error {
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('settings') IS NOT NULL`).Scan(&exists); err != nil || !exists {
		return err
	}
	secret := make([]byte, markerSecretBytes)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO settings (marker_secret) VALUES ($1) ON CONFLICT DO NOTHING`, secret)
	return err
}
