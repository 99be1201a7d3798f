package parsersvc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-enry/go-enry/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
	"github.com/openrabbit/openrabbit/parsersvc/internal/chunk"
	"github.com/openrabbit/openrabbit/parsersvc/internal/pool"
	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// asker gives a request to a child.
type asker interface {
	Do(ctx context.Context, req pool.Request) ([]byte, error)
}

// analyst answers for one file: it keeps away what must not be parsed, has the rest done by a child, and puts what
// became of the child into the words of the contract.
type analyst struct {
	children    asker
	quarantine  *quarantine
	fileTimeout time.Duration
	log         *slog.Logger
	metrics     *metrics
}

// outcome is why there is no answer of a child, as a status of the file; an error is one of the call.
type outcome struct {
	status syntax.Status
	detail string
}

// ask has one request done. The digest is that of everything that a stranger wrote in it.
func (a *analyst) ask(ctx context.Context, kind wire.Kind, d digest, message proto.Message, into proto.Message) (*outcome, error) {
	if a.quarantine.holds(d) {
		return &outcome{syntax.StatusQuarantined, "this content killed a parser twice and is not tried again"}, nil
	}
	body, err := proto.Marshal(message)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "write request to child: %v", err)
	}
	body, err = a.children.Do(ctx, pool.Request{Kind: kind, Limit: a.fileTimeout, Message: body})
	var killed *pool.Killed
	var failed *pool.Failed
	switch {
	case err == nil:
		if err := proto.Unmarshal(body, into); err != nil {
			a.quarantine.killed(d)
			return &outcome{syntax.StatusCrashed, "its parser gave an answer that can't be read"}, nil
		}
		return nil, nil
	case errors.As(err, &killed):
		// A child that had less than its time was killed for its caller's haste, not for the content.
		if killed.Reason != pool.TimedOut || killed.Limit >= a.fileTimeout {
			a.quarantine.killed(d)
		}
		a.log.Warn("parser child did not survive a file", "reason", string(killed.Reason), "detail", killed.Detail, "bytes", len(body))
		if killed.Reason == pool.TimedOut {
			return &outcome{syntax.StatusTimeout, "parsing it took too long: " + killed.Detail}, nil
		}
		return &outcome{syntax.StatusCrashed, "its parser crashed: " + killed.Detail}, nil
	case errors.As(err, &failed):
		a.log.Error("parser child failed", "detail", failed.Detail)
		return &outcome{syntax.StatusCrashed, "its parser failed"}, nil
	case errors.Is(err, pool.ErrStopped):
		return nil, unavailable(ctx, "the parser is stopping")
	default:
		return nil, status.FromContextError(err).Err()
	}
}

// analyze answers for one file of a stream, or one that was asked for by itself. An error is one of the call.
func (a *analyst) analyze(ctx context.Context, req *parserv1.AnalyzeFilesRequest) (*parserv1.AnalyzeFilesResponse, error) {
	begun := time.Now()
	resp, err := a.answer(ctx, req)
	if err != nil {
		return nil, err
	}
	a.metrics.file(resp.GetFacts(), time.Since(begun))
	return resp, nil
}

func (a *analyst) answer(ctx context.Context, req *parserv1.AnalyzeFilesRequest) (*parserv1.AnalyzeFilesResponse, error) {
	content := req.GetFile().GetContent()
	if s, detail := guard(content); s != syntax.StatusOK {
		return without(req, outcome{s, detail}), nil
	}
	var resp parserv1.AnalyzeFilesResponse
	no, err := a.ask(ctx, wire.Analyze, digestOf(content), req, &resp)
	if err != nil {
		return nil, err
	}
	if no != nil {
		out := without(req, *no)
		if req.GetChunk() != nil {
			out.Chunks = windows(req)
		}
		return out, nil
	}
	if resp.GetFacts() == nil {
		return without(req, outcome{syntax.StatusCrashed, "its parser gave no facts"}), nil
	}
	// Which file this is, we know better than a child that strangers feed.
	resp.Id, resp.Facts.Path = req.GetId(), req.GetFile().GetPath()
	return &resp, nil
}

// without is the answer for a file that was not parsed: what its path alone says.
func without(req *parserv1.AnalyzeFilesRequest, o outcome) *parserv1.AnalyzeFilesResponse {
	f := req.GetFile()
	language := f.GetLanguage()
	if language == "" {
		language = analysis.DetectByPath(f.GetPath())
	}
	return &parserv1.AnalyzeFilesResponse{Id: req.GetId(), Facts: pbconv.FactsToProto(syntax.Facts{
		Path: f.GetPath(), Language: language, Status: o.status, Detail: o.detail,
		Vendored: enry.IsVendor(f.GetPath()), Lines: analysis.CountLines(f.GetContent()),
	})}
}

// windows cuts a file that could not be parsed into windows of lines, which takes no grammar.
func windows(req *parserv1.AnalyzeFilesRequest) []*parserv1.CodeChunk {
	f := req.GetFile()
	return pbconv.ChunksToProto(chunk.Cut(f.GetPath(), f.GetContent(), nil, int(req.GetChunk().GetMaxTokens())))
}

// check answers what a replacement does to a file.
func (a *analyst) check(ctx context.Context, req *parserv1.CheckSuggestionRequest) (*parserv1.CheckSuggestionResponse, error) {
	content, replacement := req.GetFile().GetContent(), []byte(req.GetReplacement())
	unknown := &parserv1.CheckSuggestionResponse{Verdict: pbconv.SuggestionVerdictToProto(syntax.VerdictUnknown)}
	if s, _ := guard(content); s != syntax.StatusOK {
		return unknown, nil
	}
	if s, _ := guard(replacement); s != syntax.StatusOK {
		return unknown, nil
	}
	var resp parserv1.CheckSuggestionResponse
	no, err := a.ask(ctx, wire.Check, digestOf(content, replacement), req, &resp)
	if err != nil {
		return nil, err
	}
	if no != nil {
		return unknown, nil
	}
	return &resp, nil
}

// checkLines says what is wrong with the lines of a suggestion.
func checkLines(req *parserv1.CheckSuggestionRequest) error {
	start, end, lines := int(req.GetStartLine()), int(req.GetEndLine()), analysis.CountLines(req.GetFile().GetContent())
	if start < 1 || end < start || end > lines {
		return fmt.Errorf("lines %d to %d are not in a file of %d lines", start, end, lines)
	}
	return nil
}
