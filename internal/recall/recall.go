// Package recall keeps the vectors of a repository's chunks and finds the ones nearest to a question.
//
// There are two homes for vectors, with one interface and one conformance suite: plain Postgres with exact search in Go
// (the embedded default) and Qdrant. Which commit of a repository is indexed is always kept in Postgres (Indexes).
// It promises that a search sees one repository of one installation only.
package recall

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/openrabbit/openrabbit/internal/review"
)

// Scope is whose vectors: nothing is ever read or written outside one.
type Scope struct {
	Installation review.InstallationID
	Repository   review.RepositoryID
}

func (s Scope) valid() error {
	if s.Installation == 0 || s.Repository == 0 {
		return errors.New("scope: installation and repository must both be set")
	}
	return nil
}

// Chunk is a piece of a file with its vector.
type Chunk struct {
	// ID is the parser's stable id of the chunk.
	ID   string
	Path string
	// ContentHash identifies the content of the whole file the chunk was cut from.
	ContentHash        string
	StartLine, EndLine int
	Header, Text       string
	// Vector has unit length.
	Vector []float32
}

// Match is a chunk found, without its vector.
type Match struct {
	Chunk
	// Score is the cosine of the angle between chunk and question, 1 for the same direction.
	Score float64
}

// Store keeps vectors.
type Store interface {
	// Put replaces all that is stored of the files the chunks come from. All chunks of a file are put in one call, and
	// all vectors of a scope have one length.
	Put(ctx context.Context, scope Scope, chunks []Chunk) error
	// Remove forgets files.
	Remove(ctx context.Context, scope Scope, paths []string) error
	// Files gives the content hash of each file that has chunks, by path.
	Files(ctx context.Context, scope Scope) (map[string]string, error)
	// Search gives the chunks nearest to a vector, best first, none of them from the excluded paths.
	Search(ctx context.Context, scope Scope, vector []float32, limit int, exclude []string) ([]Match, error)
	// Drop forgets everything of the scope.
	Drop(ctx context.Context, scope Scope) error
	// Ping says whether the store answers.
	Ping(ctx context.Context) error
}

// checkChunks refuses what no store could keep.
func checkChunks(scope Scope, chunks []Chunk) error {
	if err := scope.valid(); err != nil {
		return err
	}
	for _, c := range chunks {
		switch {
		case c.ID == "" || c.Path == "":
			return fmt.Errorf("chunk %q of %q: id and path must be set", c.ID, c.Path)
		case len(c.Vector) == 0 || len(c.Vector) != len(chunks[0].Vector):
			return fmt.Errorf("chunk %q of %q: its vector has %d components, the first of the batch %d", c.ID, c.Path,
				len(c.Vector), len(chunks[0].Vector))
		}
		var sum float64
		for _, v := range c.Vector {
			sum += float64(v) * float64(v)
		}
		if math.Abs(sum-1) > 1e-3 {
			return fmt.Errorf("chunk %q of %q: its vector has length %.4f, want 1", c.ID, c.Path, math.Sqrt(sum))
		}
	}
	return nil
}

// paths gives the distinct paths of chunks, in their order.
func paths(chunks []Chunk) []string {
	seen := map[string]bool{}
	var out []string
	for _, c := range chunks {
		if !seen[c.Path] {
			seen[c.Path] = true
			out = append(out, c.Path)
		}
	}
	return out
}
