package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/openrabbit/openrabbit/internal/review"
)

// EmbeddingKey is whose vectors are meant, and what made them. Vectors of two models, or of two lengths, don't compare.
type EmbeddingKey struct {
	InstallationID review.InstallationID
	Model          string
	Dimensions     int
}

// Embeddings gives the vectors of the texts that were embedded before; nil for the others.
func (s *Store) Embeddings(ctx context.Context, key EmbeddingKey, texts []string) ([][]float32, error) {
	hashes := make([][]byte, len(texts))
	places := make(map[string][]int, len(texts))
	for i, text := range texts {
		hashes[i] = hashOf(text)
		places[string(hashes[i])] = append(places[string(hashes[i])], i)
	}
	rows, err := s.db.Pool().Query(ctx, `SELECT content_hash, vector FROM embeddings
		WHERE installation_id = $1 AND model = $2 AND dimensions = $3 AND content_hash = ANY($4)`,
		int64(key.InstallationID), key.Model, key.Dimensions, hashes)
	if err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	defer rows.Close()
	vectors := make([][]float32, len(texts))
	for rows.Next() {
		var hash, encoded []byte
		if err := rows.Scan(&hash, &encoded); err != nil {
			return nil, fmt.Errorf("read embeddings: %w", err)
		}
		if len(encoded) != 4*key.Dimensions {
			continue // of another length than it says; it is made anew
		}
		for _, i := range places[string(hash)] {
			vectors[i] = decodeVector(encoded)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	return vectors, nil
}

// SaveEmbeddings keeps the vectors of texts, in their order.
func (s *Store) SaveEmbeddings(ctx context.Context, key EmbeddingKey, texts []string, vectors [][]float32) error {
	if len(texts) != len(vectors) {
		return fmt.Errorf("save embeddings: %d vectors of %d texts", len(vectors), len(texts))
	}
	hashes, encoded := make([][]byte, len(texts)), make([][]byte, len(texts))
	for i, text := range texts {
		if len(vectors[i]) != key.Dimensions {
			return fmt.Errorf("save embeddings: a vector of length %d, not %d", len(vectors[i]), key.Dimensions)
		}
		hashes[i], encoded[i] = hashOf(text), encodeVector(vectors[i])
	}
	_, err := s.db.Pool().Exec(ctx, `INSERT INTO embeddings (installation_id, model, dimensions, content_hash, vector)
		SELECT DISTINCT ON (hash) $1::bigint, $2, $3::integer, hash, vector FROM unnest($4::bytea[], $5::bytea[]) AS made (hash, vector)
		ON CONFLICT (installation_id, model, dimensions, content_hash) DO UPDATE SET created_at = now()`,
		int64(key.InstallationID), text(key.Model), key.Dimensions, hashes, encoded)
	if err != nil {
		return fmt.Errorf("save embeddings: %w", err)
	}
	return nil
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func encodeVector(v []float32) []byte {
	out := make([]byte, 0, 4*len(v))
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

func decodeVector(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}
