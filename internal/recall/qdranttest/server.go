// Package qdranttest is an in-process implementation of the part of Qdrant's gRPC API that OpenRabbit uses, for machines
// without a Qdrant server. It proves the wire and our use of filters; it does not prove Qdrant's own behaviour.
package qdranttest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Server answers as Qdrant does.
type Server struct {
	addr   string
	apiKey string
	grpc   *grpc.Server

	mu          sync.Mutex
	collections map[string]*collection
	around      func(method string, serve func())
}

// The three services of one server; their methods share names, so each is a type of its own.
type (
	pointsService struct {
		qdrant.UnimplementedPointsServer
		*Server
	}
	collectionsService struct {
		qdrant.UnimplementedCollectionsServer
		*Server
	}
	healthService struct {
		qdrant.UnimplementedQdrantServer
	}
)

type collection struct {
	size   uint64
	points map[string]*qdrant.PointStruct
}

// Start serves on a loopback port. With a key, requests without it are refused.
func Start(apiKey string) (*Server, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{addr: lis.Addr().String(), apiKey: apiKey, collections: map[string]*collection{}}
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.authorize))
	qdrant.RegisterPointsServer(s.grpc, pointsService{Server: s})
	qdrant.RegisterCollectionsServer(s.grpc, collectionsService{Server: s})
	qdrant.RegisterQdrantServer(s.grpc, healthService{})
	go func() { _ = s.grpc.Serve(lis) }()
	return s, nil
}

// URL is what QDRANT_URL would be.
func (s *Server) URL() string { return "http://" + s.addr }

// Close stops serving at once.
func (s *Server) Close() { s.grpc.Stop() }

// Around is called for every call, and calls serve to have it answered: to be slow, to count. Set it before the first call.
func (s *Server) Around(f func(method string, serve func())) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.around = f
}

func (s *Server) authorize(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if s.apiKey != "" && !slices.Equal(md.Get("api-key"), []string{s.apiKey}) {
		return nil, status.Error(codes.PermissionDenied, "invalid API key")
	}
	s.mu.Lock()
	around := s.around
	s.mu.Unlock()
	if around == nil {
		return next(ctx, req)
	}
	around(info.FullMethod, func() { answer, err = next(ctx, req) })
	return answer, err
}

// HealthCheck answers.
func (healthService) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{Title: "qdranttest", Version: "1.17.1"}, nil
}

// CollectionExists answers.
func (s collectionsService) CollectionExists(_ context.Context, r *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &qdrant.CollectionExistsResponse{Result: &qdrant.CollectionExists{Exists: s.collections[r.CollectionName] != nil}}, nil
}

// Create makes a collection; one that exists is refused.
func (s collectionsService) Create(_ context.Context, r *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.collections[r.CollectionName] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "collection %s exists", r.CollectionName)
	}
	params := r.GetVectorsConfig().GetParams()
	if params.GetSize() == 0 || params.GetDistance() != qdrant.Distance_Cosine {
		return nil, status.Error(codes.InvalidArgument, "want one unnamed vector with cosine distance")
	}
	s.collections[r.CollectionName] = &collection{size: params.GetSize(), points: map[string]*qdrant.PointStruct{}}
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

// List lists the collections.
func (s collectionsService) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &qdrant.ListCollectionsResponse{}
	for name := range s.collections {
		out.Collections = append(out.Collections, &qdrant.CollectionDescription{Name: name})
	}
	return out, nil
}

func (s *Server) find(name string) (*collection, error) {
	if c := s.collections[name]; c != nil {
		return c, nil
	}
	return nil, status.Errorf(codes.NotFound, "Collection `%s` doesn't exist!", name)
}

// CreateFieldIndex accepts the indexes we make.
func (s pointsService) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(r.CollectionName); err != nil {
		return nil, err
	}
	return done(), nil
}

func done() *qdrant.PointsOperationResponse {
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{Status: qdrant.UpdateStatus_Completed}}
}

// Upsert stores points; a vector of another length is refused.
func (s pointsService) Upsert(_ context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	for _, p := range r.Points {
		if n := uint64(len(vector(p))); n != c.size {
			return nil, status.Errorf(codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: %d, got %d", c.size, n)
		}
	}
	for _, p := range r.Points {
		c.points[p.GetId().GetUuid()] = proto.Clone(p).(*qdrant.PointStruct)
	}
	return done(), nil
}

func vector(p *qdrant.PointStruct) []float32 {
	v := p.GetVectors().GetVector()
	if dense := v.GetDense().GetData(); len(dense) > 0 {
		return dense
	}
	return v.GetData() //nolint:staticcheck // older clients send the vector in this deprecated field
}

// Delete removes the points a filter matches.
func (s pointsService) Delete(_ context.Context, r *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	f := r.GetPoints().GetFilter()
	if f == nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest deletes by filter only")
	}
	for id, p := range c.points {
		ok, err := matches(f, p)
		if err != nil {
			return nil, err
		}
		if ok {
			delete(c.points, id)
		}
	}
	return done(), nil
}

// Scroll pages through the points a filter matches, by id.
func (s pointsService) Scroll(_ context.Context, r *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.matching(r.CollectionName, r.Filter)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *qdrant.PointStruct) int { return cmp.Compare(a.Id.GetUuid(), b.Id.GetUuid()) })
	limit := int(cmp.Or(r.GetLimit(), 10))
	out := &qdrant.ScrollResponse{}
	for _, p := range found {
		if p.Id.GetUuid() < r.GetOffset().GetUuid() {
			continue
		}
		if len(out.Result) == limit {
			out.NextPageOffset = p.Id
			break
		}
		out.Result = append(out.Result, &qdrant.RetrievedPoint{Id: p.Id, Payload: p.Payload})
	}
	return out, nil
}

// Query gives the points nearest to a dense vector.
func (s pointsService) Query(_ context.Context, r *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.matching(r.CollectionName, r.Filter)
	if err != nil {
		return nil, err
	}
	question := r.GetQuery().GetNearest().GetDense().GetData()
	if size := s.collections[r.CollectionName].size; uint64(len(question)) != size {
		return nil, status.Errorf(codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: %d, got %d", size, len(question))
	}
	out := &qdrant.QueryResponse{}
	for _, p := range found {
		var score float32
		for i, v := range vector(p) {
			score += v * question[i]
		}
		out.Result = append(out.Result, &qdrant.ScoredPoint{Id: p.Id, Payload: p.Payload, Score: score})
	}
	slices.SortFunc(out.Result, func(a, b *qdrant.ScoredPoint) int { return cmp.Compare(b.Score, a.Score) })
	if limit := int(cmp.Or(r.GetLimit(), 10)); len(out.Result) > limit {
		out.Result = out.Result[:limit]
	}
	return out, nil
}

func (s *Server) matching(name string, f *qdrant.Filter) ([]*qdrant.PointStruct, error) {
	c, err := s.find(name)
	if err != nil {
		return nil, err
	}
	var out []*qdrant.PointStruct
	for _, p := range c.points {
		ok, err := matches(f, p)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, p)
		}
	}
	return out, nil
}

func matches(f *qdrant.Filter, p *qdrant.PointStruct) (bool, error) {
	if len(f.GetShould()) > 0 || f.GetMinShould() != nil {
		return false, status.Error(codes.Unimplemented, "qdranttest knows must and must_not only")
	}
	for _, c := range f.GetMust() {
		if ok, err := holds(c, p); err != nil || !ok {
			return false, err
		}
	}
	for _, c := range f.GetMustNot() {
		if ok, err := holds(c, p); err != nil || ok {
			return false, err
		}
	}
	return true, nil
}

func holds(c *qdrant.Condition, p *qdrant.PointStruct) (bool, error) {
	field := c.GetField()
	value := p.Payload[field.GetKey()]
	switch m := field.GetMatch().GetMatchValue().(type) {
	case *qdrant.Match_Integer:
		return value.GetIntegerValue() == m.Integer, nil
	case *qdrant.Match_Keyword:
		return value.GetStringValue() == m.Keyword, nil
	case *qdrant.Match_Keywords:
		return slices.Contains(m.Keywords.GetStrings(), value.GetStringValue()), nil
	default:
		return false, status.Errorf(codes.Unimplemented, "qdranttest does not know the condition %v", c)
	}
}
