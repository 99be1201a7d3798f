package recall

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"

	"github.com/openrabbit/openrabbit/internal/config"
)

// Field names of a point's payload.
const (
	fieldInstallation = "installation"
	fieldRepository   = "repository"
	fieldID           = "chunk"
	fieldPath         = "path"
	fieldHash         = "content_hash"
	fieldStart        = "start_line"
	fieldEnd          = "end_line"
	fieldHeader       = "header"
	fieldText         = "text"
)

// upsertBatch keeps one request far under Qdrant's 32 MB: 256 chunks of a few kilobytes.
const upsertBatch = 256

// Qdrant keeps vectors in a Qdrant server, in one collection for each vector length ("openrabbit_256"), separated by a
// filter on installation and repository that every request carries.
type Qdrant struct {
	client *qdrant.Client
	prefix string

	mu    sync.Mutex
	known map[string]bool // collections that exist
}

var _ Store = (*Qdrant)(nil)

// QdrantConfig says where Qdrant is.
type QdrantConfig struct {
	// URL is http://host:6334 or https://host:6334: the gRPC port. Without a port 6334 is taken.
	URL    string
	APIKey config.Secret
	// Prefix begins the names of the collections; empty means "openrabbit".
	Prefix string
}

// NewQdrant connects lazily: an unreachable server is an error of the first request, not of this call.
func NewQdrant(c QdrantConfig) (*Qdrant, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("QDRANT_URL %q: want http://host:6334 or https://host:6334 (the gRPC port)", c.URL)
	}
	port := 6334
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, fmt.Errorf("QDRANT_URL %q: port: %w", c.URL, err)
		}
	}
	if port == 6333 {
		return nil, fmt.Errorf("QDRANT_URL %q: 6333 is Qdrant's REST port; give its gRPC port, usually 6334", c.URL)
	}
	if u.Scheme == "http" && !c.APIKey.IsZero() && !private(u.Hostname()) {
		return nil, fmt.Errorf("QDRANT_URL %q: the API key would cross the network in clear text; use https", c.URL)
	}
	client, err := qdrant.NewClient(&qdrant.Config{
		Host: u.Hostname(), Port: port, APIKey: c.APIKey.Reveal(), UseTLS: u.Scheme == "https",
		SkipCompatibilityCheck: true, PoolSize: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to Qdrant at %s: %w", u.Host, err)
	}
	prefix := c.Prefix
	if prefix == "" {
		prefix = "openrabbit"
	}
	return &Qdrant{client: client, prefix: prefix, known: map[string]bool{}}, nil
}

// private says whether a host is this machine, a private address, or a name without dots as in a compose network.
func private(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || ip.IsPrivate()
	}
	return !strings.Contains(host, ".")
}

// Close ends the connection.
func (q *Qdrant) Close() error { return q.client.Close() }

// Ping implements Store.
func (q *Qdrant) Ping(ctx context.Context) error {
	if _, err := q.client.HealthCheck(ctx); err != nil {
		return fmt.Errorf("qdrant health: %w", err)
	}
	return nil
}

// filter is what every request carries.
func filter(scope Scope, more ...*qdrant.Condition) *qdrant.Filter {
	return &qdrant.Filter{Must: append([]*qdrant.Condition{
		qdrant.NewMatchInt(fieldInstallation, int64(scope.Installation)),
		qdrant.NewMatchInt(fieldRepository, int64(scope.Repository)),
	}, more...)}
}

// pointID is the same for the same chunk of the same repository.
func pointID(scope Scope, chunk string) *qdrant.PointId {
	name := fmt.Sprintf("openrabbit/%d/%d/%s", scope.Installation, scope.Repository, chunk)
	return qdrant.NewIDUUID(uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String())
}

// Put implements Store.
func (q *Qdrant) Put(ctx context.Context, scope Scope, chunks []Chunk) error {
	if err := checkChunks(scope, chunks); err != nil {
		return fmt.Errorf("put chunks: %w", err)
	}
	if len(chunks) == 0 {
		return nil
	}
	name, err := q.collection(ctx, len(chunks[0].Vector))
	if err != nil {
		return fmt.Errorf("put chunks: %w", err)
	}
	if err := q.remove(ctx, name, scope, paths(chunks)); err != nil {
		return fmt.Errorf("put chunks: %w", err)
	}
	for len(chunks) > 0 {
		n := min(len(chunks), upsertBatch)
		points := make([]*qdrant.PointStruct, n)
		for i, c := range chunks[:n] {
			payload, err := qdrant.TryValueMap(map[string]any{
				fieldInstallation: int64(scope.Installation), fieldRepository: int64(scope.Repository),
				fieldID: c.ID, fieldPath: c.Path, fieldHash: c.ContentHash, fieldStart: int64(c.StartLine),
				fieldEnd: int64(c.EndLine), fieldHeader: strings.ToValidUTF8(c.Header, "\uFFFD"), fieldText: strings.ToValidUTF8(c.Text, "\uFFFD"),
			})
			if err != nil {
				return fmt.Errorf("put chunk %s: %w", c.ID, err)
			}
			points[i] = &qdrant.PointStruct{Id: pointID(scope, c.ID), Vectors: qdrant.NewVectors(c.Vector...), Payload: payload}
		}
		if _, err := q.client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: new(true), Points: points}); err != nil {
			return fmt.Errorf("put %d chunks: %w", n, err)
		}
		chunks = chunks[n:]
	}
	return nil
}

// collection makes sure that the collection for a vector length exists.
func (q *Qdrant) collection(ctx context.Context, dims int) (string, error) {
	name := fmt.Sprintf("%s_%d", q.prefix, dims)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.known[name] {
		return name, nil
	}
	exists, err := q.client.CollectionExists(ctx, name)
	if err != nil {
		return "", fmt.Errorf("look for collection %s: %w", name, err)
	}
	if !exists {
		err := q.client.CreateCollection(ctx, &qdrant.CreateCollection{
			CollectionName: name,
			VectorsConfig:  qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: uint64(dims), Distance: qdrant.Distance_Cosine}),
		})
		if err != nil {
			// Another worker may have made it in the same moment.
			if again, lookErr := q.client.CollectionExists(ctx, name); lookErr != nil || !again {
				return "", fmt.Errorf("create collection %s: %w", name, err)
			}
		}
	}
	for field, kind := range map[string]qdrant.FieldType{
		fieldRepository: qdrant.FieldType_FieldTypeInteger, fieldInstallation: qdrant.FieldType_FieldTypeInteger,
		fieldPath: qdrant.FieldType_FieldTypeKeyword,
	} {
		if _, err := q.client.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{
			CollectionName: name, FieldName: field, FieldType: &kind, Wait: new(true)}); err != nil {
			return "", fmt.Errorf("index field %s of %s: %w", field, name, err)
		}
	}
	q.known[name] = true
	return name, nil
}

// collections gives the collections of ours that exist.
func (q *Qdrant) collections(ctx context.Context) ([]string, error) {
	all, err := q.client.ListCollections(ctx)
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", err)
	}
	var ours []string
	for _, name := range all {
		if rest, ok := strings.CutPrefix(name, q.prefix+"_"); ok {
			if _, err := strconv.Atoi(rest); err == nil {
				ours = append(ours, name)
			}
		}
	}
	return ours, nil
}

func (q *Qdrant) remove(ctx context.Context, collection string, scope Scope, files []string) error {
	_, err := q.client.Delete(ctx, &qdrant.DeletePoints{CollectionName: collection, Wait: new(true),
		Points: qdrant.NewPointsSelectorFilter(filter(scope, qdrant.NewMatchKeywords(fieldPath, files...)))})
	return err
}

// Remove implements Store.
func (q *Qdrant) Remove(ctx context.Context, scope Scope, files []string) error {
	if err := scope.valid(); err != nil || len(files) == 0 {
		return err
	}
	names, err := q.collections(ctx)
	if err != nil {
		return fmt.Errorf("remove files: %w", err)
	}
	for _, name := range names {
		if err := q.remove(ctx, name, scope, files); err != nil {
			return fmt.Errorf("remove %d files: %w", len(files), err)
		}
	}
	return nil
}

// Drop implements Store.
func (q *Qdrant) Drop(ctx context.Context, scope Scope) error {
	if err := scope.valid(); err != nil {
		return err
	}
	names, err := q.collections(ctx)
	if err != nil {
		return fmt.Errorf("drop vectors: %w", err)
	}
	for _, name := range names {
		if _, err := q.client.Delete(ctx, &qdrant.DeletePoints{CollectionName: name, Wait: new(true),
			Points: qdrant.NewPointsSelectorFilter(filter(scope))}); err != nil {
			return fmt.Errorf("drop vectors: %w", err)
		}
	}
	return nil
}

// Files implements Store.
func (q *Qdrant) Files(ctx context.Context, scope Scope) (map[string]string, error) {
	if err := scope.valid(); err != nil {
		return nil, err
	}
	names, err := q.collections(ctx)
	if err != nil {
		return nil, fmt.Errorf("list indexed files: %w", err)
	}
	out := map[string]string{}
	for _, name := range names {
		var offset *qdrant.PointId
		for {
			points, next, err := q.client.ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: name, Filter: filter(scope),
				Offset: offset, Limit: new(uint32(1000)), WithPayload: qdrant.NewWithPayloadInclude(fieldPath, fieldHash)})
			if err != nil {
				return nil, fmt.Errorf("list indexed files: %w", err)
			}
			for _, p := range points {
				out[p.Payload[fieldPath].GetStringValue()] = p.Payload[fieldHash].GetStringValue()
			}
			if next == nil {
				break
			}
			offset = next
		}
	}
	return out, nil
}

// Search implements Store.
func (q *Qdrant) Search(ctx context.Context, scope Scope, vector []float32, limit int, exclude []string) ([]Match, error) {
	if err := scope.valid(); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, nil
	}
	name := fmt.Sprintf("%s_%d", q.prefix, len(vector))
	q.mu.Lock()
	known := q.known[name]
	q.mu.Unlock()
	if !known {
		exists, err := q.client.CollectionExists(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("search vectors: %w", err)
		}
		if !exists {
			return nil, nil
		}
		q.mu.Lock()
		q.known[name] = true
		q.mu.Unlock()
	}
	f := filter(scope)
	if len(exclude) > 0 {
		f.MustNot = []*qdrant.Condition{qdrant.NewMatchKeywords(fieldPath, exclude...)}
	}
	points, err := q.client.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryDense(vector),
		Filter: f, Limit: new(uint64(limit)), WithPayload: qdrant.NewWithPayloadEnable(true)})
	if err != nil {
		return nil, fmt.Errorf("search vectors: %w", err)
	}
	out := make([]Match, len(points))
	for i, p := range points {
		out[i] = Match{Score: float64(p.Score), Chunk: Chunk{
			ID: p.Payload[fieldID].GetStringValue(), Path: p.Payload[fieldPath].GetStringValue(),
			ContentHash: p.Payload[fieldHash].GetStringValue(),
			StartLine:   int(p.Payload[fieldStart].GetIntegerValue()), EndLine: int(p.Payload[fieldEnd].GetIntegerValue()),
			Header: p.Payload[fieldHeader].GetStringValue(), Text: p.Payload[fieldText].GetStringValue(),
		}}
	}
	return out, nil
}
