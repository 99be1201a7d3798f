package pg_test

import (
	"bytes"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/migrations"
)

func files(pairs ...string) fs.FS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

// empty gives a database without our tables.
func empty(t *testing.T) (*pg.DB, string) {
	t.Helper()
	url := pgtest.NewURL(t)
	db := pgtest.Open(t, url)
	if _, err := db.Pool().Exec(t.Context(), `DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
		t.Fatal(err)
	}
	return db, url
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db, _ := empty(t)
	first := "CREATE TABLE a (n int); INSERT INTO a VALUES (1);"
	second := "-- Two statements, and a dollar quote.\nUPDATE a SET n = n + 1; DO $$ BEGIN PERFORM 1; END $$;"
	steps := []struct {
		name  string
		files fs.FS
		want  int
		says  string
	}{
		{"one", files("0001_a.sql", first), 1, ""},
		{"again", files("0001_a.sql", first), 1, ""},
		{"the next", files("0001_a.sql", first, "0002_b.sql", second), 2, ""},
		{"both again", files("0001_a.sql", first, "0002_b.sql", second), 2, ""},
		{"an older process", files("0001_a.sql", first), 2, ""},
		{"a changed file", files("0001_a.sql", first+" ", "0002_b.sql", second), 2, "0001_a.sql: the file was changed"},
		{"a broken file", files("0001_a.sql", first, "0002_b.sql", second, "0003_c.sql", "UPDATE a SET n = 9; SELECT nonsense;"), 2, "0003_c.sql"},
		{"the file mended", files("0001_a.sql", first, "0002_b.sql", second, "0003_c.sql", "UPDATE a SET n = 9;"), 9, ""},
		{"no name", files("first.sql", "SELECT 1"), 9, "first.sql is not called NNNN_name.sql"},
		{"a number twice", files("0004_a.sql", "SELECT 1", "0004_b.sql", "SELECT 1"), 9, "have the same number"},
	}
	for _, step := range steps {
		err := pg.Migrate(t.Context(), db, step.files)
		if (err == nil) != (step.says == "") || (err != nil && !strings.Contains(err.Error(), step.says)) {
			t.Errorf("%s: gave %v, want %q", step.name, err, step.says)
		}
		var got int
		if err := db.Pool().QueryRow(t.Context(), `SELECT n FROM a`).Scan(&got); err != nil || got != step.want {
			t.Errorf("%s: a holds %d, want %d (%v)", step.name, got, step.want, err)
		}
	}
}

func TestOurMigrationsManyAtOnceAndOneSecret(t *testing.T) {
	t.Parallel()
	db, url := empty(t)
	var group sync.WaitGroup
	for range 4 {
		other := pgtest.Open(t, url)
		group.Go(func() {
			if err := pg.Migrate(t.Context(), other, migrations.Files); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	secret := func() (b []byte) {
		if err := db.Pool().QueryRow(t.Context(), `SELECT marker_secret FROM settings`).Scan(&b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	before := secret()
	if len(before) != 32 || bytes.Equal(before, make([]byte, 32)) {
		t.Errorf("the secret is %d bytes", len(before))
	}
	if err := pg.Migrate(t.Context(), db, migrations.Files); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, secret()) {
		t.Error("migrating again made another secret: every marker on GitHub would be lost")
	}
	if other, _ := empty(t); pg.Migrate(t.Context(), other, migrations.Files) != nil {
		t.Error("a second database cannot be migrated")
	} else {
		var b []byte
		if err := other.Pool().QueryRow(t.Context(), `SELECT marker_secret FROM settings`).Scan(&b); err != nil || bytes.Equal(b, before) {
			t.Errorf("two databases have one secret (%v)", err)
		}
	}
}
