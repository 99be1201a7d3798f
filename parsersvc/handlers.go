package parsersvc

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
)

// server is ParserService.
type server struct {
	parserv1.UnimplementedParserServiceServer
	analyst   *analyst
	admission *admission
	metrics   *metrics
	// perStream is how many files of one stream are inside at once.
	perStream int
}

var _ parserv1.ParserServiceServer = (*server)(nil)

// retryAfter is what a caller who was refused is told to wait before it asks another replica.
const retryAfter = 100 * time.Millisecond

// unavailable refuses a call for now: RetryInfo is for people and our own clients, the trailer for gRPC's retries.
func unavailable(ctx context.Context, why string) error {
	// There is no stream to set a trailer on in a test that calls the handler itself.
	_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "100"))
	s := status.New(codes.Unavailable, why)
	if detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)}); err == nil {
		s = detailed
	}
	return s.Err()
}

// enter gives a unary call its place.
func (s *server) enter(ctx context.Context) (func(), error) {
	leave, ok := s.admission.try()
	if !ok {
		s.metrics.shed.Inc()
		return nil, unavailable(ctx, "all parsers are busy and the queue is full")
	}
	return leave, nil
}

// maxPathBytes is longer than any path that a repository can have on the systems it is used on.
const maxPathBytes = 4096

// checkFile says what is wrong with a request's file itself.
func checkFile(f *parserv1.File) error {
	switch {
	case f == nil:
		return status.Error(codes.InvalidArgument, "file is required")
	case len(f.GetPath()) > maxPathBytes:
		return status.Errorf(codes.InvalidArgument, "the path is longer than %d bytes", maxPathBytes)
	default:
		return nil
	}
}

// Outline analyses one file.
func (s *server) Outline(ctx context.Context, req *parserv1.OutlineRequest) (*parserv1.OutlineResponse, error) {
	if err := checkFile(req.GetFile()); err != nil {
		return nil, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	resp, err := s.analyst.facts(ctx, &parserv1.AnalyzeFilesRequest{File: req.GetFile(), Want: req.GetWant()})
	if err != nil {
		return nil, err
	}
	return &parserv1.OutlineResponse{Facts: resp.GetFacts()}, nil
}

// Chunk cuts one file.
func (s *server) Chunk(ctx context.Context, req *parserv1.ChunkRequest) (*parserv1.ChunkResponse, error) {
	if err := checkFile(req.GetFile()); err != nil {
		return nil, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	limits := req.GetLimits()
	if limits == nil {
		limits = &parserv1.ChunkLimits{}
	}
	resp, err := s.analyst.facts(ctx, &parserv1.AnalyzeFilesRequest{
		File: req.GetFile(), Want: &parserv1.Want{NoReferences: true}, Chunk: limits,
	})
	if err != nil {
		return nil, err
	}
	return &parserv1.ChunkResponse{
		Chunks: resp.GetChunks(), Status: resp.GetFacts().GetStatus(), Detail: resp.GetFacts().GetDetail(),
	}, nil
}

// CheckSuggestion judges one replacement.
func (s *server) CheckSuggestion(ctx context.Context, req *parserv1.CheckSuggestionRequest) (*parserv1.CheckSuggestionResponse, error) {
	if err := checkFile(req.GetFile()); err != nil {
		return nil, err
	}
	if err := checkLines(req); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.analyst.check(ctx, req)
}

// ListLanguages lists the languages.
func (s *server) ListLanguages(context.Context, *parserv1.ListLanguagesRequest) (*parserv1.ListLanguagesResponse, error) {
	resp := &parserv1.ListLanguagesResponse{}
	for _, l := range analysis.Languages() {
		resp.Languages = append(resp.Languages, &parserv1.Language{Name: l.Name, Extensions: l.Extensions})
	}
	return resp, nil
}
