package recall

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
)

// cacheBytes bounds the vectors an Embedded store holds in memory: 50,000 vectors of 256 take 51 MB.
const cacheBytes = 256 << 20

// Embedded keeps vectors in plain Postgres and searches exactly, in Go, in a copy in memory that it reads again when
// the repository's index has changed.
type Embedded struct {
	db *pg.DB

	mu    sync.Mutex
	cache map[Scope]*matrix
	order []Scope // least recently used first
	bytes int
}

var _ Store = (*Embedded)(nil)

// NewEmbedded gives the embedded store.
func NewEmbedded(db *pg.DB) *Embedded {
	return &Embedded{db: db, cache: map[Scope]*matrix{}}
}

// matrix is all vectors of a scope, one after the other.
type matrix struct {
	version int64
	dims    int
	ids     []string
	paths   []string
	values  []float32
}

func (m *matrix) size() int { return 4 * len(m.values) }

// Ping implements Store.
func (e *Embedded) Ping(ctx context.Context) error { return e.db.Ping(ctx) }

// Put implements Store.
func (e *Embedded) Put(ctx context.Context, scope Scope, chunks []Chunk) error {
	if err := checkChunks(scope, chunks); err != nil {
		return fmt.Errorf("put chunks: %w", err)
	}
	if len(chunks) == 0 {
		return nil
	}
	err := e.change(ctx, scope, func(ctx context.Context, tx pg.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM chunks WHERE repository_id = $1 AND path = ANY($2)`, scope.Repository, paths(chunks)); err != nil {
			return err
		}
		// The parser's ids are stable for path, container, name and text; two equal pieces of a file share one.
		seen := map[string]bool{}
		rows := make([][]any, 0, len(chunks))
		for _, c := range chunks {
			if seen[c.ID] {
				continue
			}
			seen[c.ID] = true
			rows = append(rows, []any{int64(scope.Repository), c.ID, c.Path, c.ContentHash, c.StartLine, c.EndLine,
				c.Header, c.Text, encode(c.Vector)})
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"chunks"}, []string{"repository_id", "id", "path", "content_hash",
			"start_line", "end_line", "header", "body", "vector"}, pgx.CopyFromRows(rows))
		return err
	})
	if err != nil {
		return fmt.Errorf("put %d chunks: %w", len(chunks), err)
	}
	return nil
}

// Remove implements Store.
func (e *Embedded) Remove(ctx context.Context, scope Scope, files []string) error {
	if len(files) == 0 {
		return nil
	}
	err := e.change(ctx, scope, func(ctx context.Context, tx pg.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM chunks WHERE repository_id = $1 AND path = ANY($2)`, scope.Repository, files)
		return err
	})
	if err != nil {
		return fmt.Errorf("remove %d files: %w", len(files), err)
	}
	return nil
}

// Drop implements Store.
func (e *Embedded) Drop(ctx context.Context, scope Scope) error {
	err := e.change(ctx, scope, func(ctx context.Context, tx pg.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM chunks WHERE repository_id = $1`, scope.Repository)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop vectors: %w", err)
	}
	return nil
}

// change runs fn and moves the version of the scope in one transaction. The row of the index is the lock that keeps two
// writers of one repository apart, and its installation must be the scope's.
func (e *Embedded) change(ctx context.Context, scope Scope, fn func(context.Context, pg.Tx) error) error {
	if err := scope.valid(); err != nil {
		return err
	}
	return pg.InTx(ctx, e.db, func(ctx context.Context, tx pg.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO indexes AS i (repository_id, installation_id, version) VALUES ($1, $2, 1)
			ON CONFLICT (repository_id) DO UPDATE SET version = i.version + 1 WHERE i.installation_id = $2`,
			scope.Repository, scope.Installation)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("repository %d is indexed for another installation than %d", scope.Repository, scope.Installation)
		}
		return fn(ctx, tx)
	})
}

// Files implements Store.
func (e *Embedded) Files(ctx context.Context, scope Scope) (map[string]string, error) {
	if err := scope.valid(); err != nil {
		return nil, err
	}
	rows, err := e.db.Pool().Query(ctx, `
		SELECT DISTINCT c.path, c.content_hash FROM chunks c JOIN indexes i USING (repository_id)
		WHERE c.repository_id = $1 AND i.installation_id = $2`, scope.Repository, scope.Installation)
	if err != nil {
		return nil, fmt.Errorf("list indexed files: %w", err)
	}
	out := map[string]string{}
	var path, hash string
	if _, err := pgx.ForEachRow(rows, []any{&path, &hash}, func() error { out[path] = hash; return nil }); err != nil {
		return nil, fmt.Errorf("list indexed files: %w", err)
	}
	return out, nil
}

// Search implements Store.
func (e *Embedded) Search(ctx context.Context, scope Scope, vector []float32, limit int, exclude []string) ([]Match, error) {
	if err := scope.valid(); err != nil {
		return nil, err
	}
	m, err := e.matrix(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("search vectors: %w", err)
	}
	if m == nil || len(m.ids) == 0 || limit <= 0 {
		return nil, nil
	}
	if len(vector) != m.dims {
		return nil, fmt.Errorf("search vectors: the question has %d components, the index %d: index the repository again", len(vector), m.dims)
	}
	best := m.nearest(vector, limit, exclude)
	ids := make([]string, len(best))
	for i, s := range best {
		ids[i] = m.ids[s.row]
	}
	rows, err := e.db.Pool().Query(ctx, `
		SELECT id, path, content_hash, start_line, end_line, header, body FROM chunks WHERE repository_id = $1 AND id = ANY($2)`,
		scope.Repository, ids)
	if err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	byID := map[string]Chunk{}
	var c Chunk
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Path, &c.ContentHash, &c.StartLine, &c.EndLine, &c.Header, &c.Text}, func() error {
		byID[c.ID] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	out := make([]Match, 0, len(best))
	for _, s := range best {
		// A chunk that was removed since the copy was read is simply gone.
		if c, ok := byID[m.ids[s.row]]; ok {
			out = append(out, Match{Chunk: c, Score: float64(s.score)})
		}
	}
	return out, nil
}

// matrix gives the scope's vectors, read again if they changed; nil when nothing was ever indexed.
func (e *Embedded) matrix(ctx context.Context, scope Scope) (*matrix, error) {
	var version int64
	err := e.db.Pool().QueryRow(ctx, `SELECT version FROM indexes WHERE repository_id = $1 AND installation_id = $2`,
		scope.Repository, scope.Installation).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	m := e.cache[scope]
	if m != nil && m.version == version {
		e.touch(scope)
		e.mu.Unlock()
		return m, nil
	}
	e.mu.Unlock()
	m, err = e.read(ctx, scope, version)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keep(scope, m)
	return m, nil
}

func (e *Embedded) read(ctx context.Context, scope Scope, version int64) (*matrix, error) {
	rows, err := e.db.Pool().Query(ctx, `SELECT id, path, vector FROM chunks WHERE repository_id = $1 ORDER BY id`, scope.Repository)
	if err != nil {
		return nil, err
	}
	m := &matrix{version: version}
	var id, path string
	var raw []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &path, &raw}, func() error {
		if len(raw)%4 != 0 || len(raw) == 0 {
			return fmt.Errorf("chunk %s: a vector of %d bytes", id, len(raw))
		}
		if m.dims == 0 {
			m.dims = len(raw) / 4
		}
		if len(raw) != 4*m.dims {
			return fmt.Errorf("chunk %s: a vector of %d components among vectors of %d", id, len(raw)/4, m.dims)
		}
		m.ids, m.paths = append(m.ids, id), append(m.paths, path)
		for i := 0; i < len(raw); i += 4 {
			m.values = append(m.values, math.Float32frombits(binary.LittleEndian.Uint32(raw[i:])))
		}
		return nil
	})
	return m, err
}

// keep puts a matrix into the cache and drops the least recently used ones above the bound. The lock is held.
func (e *Embedded) keep(scope Scope, m *matrix) {
	if old := e.cache[scope]; old != nil {
		e.bytes -= old.size()
	}
	e.cache[scope] = m
	e.bytes += m.size()
	e.touch(scope)
	for e.bytes > cacheBytes && len(e.order) > 1 {
		victim := e.order[0]
		e.order = e.order[1:]
		e.bytes -= e.cache[victim].size()
		delete(e.cache, victim)
	}
}

// touch marks a scope as the most recently used. The lock is held.
func (e *Embedded) touch(scope Scope) {
	if i := slices.Index(e.order, scope); i >= 0 {
		e.order = slices.Delete(e.order, i, i+1)
	}
	e.order = append(e.order, scope)
}

// scored is a row with its score.
type scored struct {
	row   int
	score float32
}

// worstFirst is a heap that keeps the best rows: the worst of them is on top.
type worstFirst []scored

func (h worstFirst) Len() int           { return len(h) }
func (h worstFirst) Less(i, j int) bool { return h[i].score < h[j].score }
func (h worstFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *worstFirst) Push(x any)        { *h = append(*h, x.(scored)) }
func (h *worstFirst) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (m *matrix) nearest(vector []float32, limit int, exclude []string) []scored {
	skip := map[string]bool{}
	for _, p := range exclude {
		skip[p] = true
	}
	var best worstFirst
	for row := range m.ids {
		if skip[m.paths[row]] {
			continue
		}
		score := dot(vector, m.values[row*m.dims:(row+1)*m.dims])
		if len(best) < limit {
			heap.Push(&best, scored{row, score})
		} else if score > best[0].score {
			best[0] = scored{row, score}
			heap.Fix(&best, 0)
		}
	}
	// Equal scores are ordered by id, so that the same question gives the same answer.
	slices.SortFunc(best, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(m.ids[a.row], m.ids[b.row]))
	})
	return best
}

// dot uses four sums, so that additions need not wait for each other.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

func encode(vector []float32) []byte {
	out := make([]byte, 0, 4*len(vector))
	for _, v := range vector {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}
