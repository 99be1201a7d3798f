package parsersvc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

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
	checker     *pbconv.Checker
	fileTimeout time.Duration
	log         *slog.Logger
	metrics     *metrics
}

// outcome is why there is no answer of a child, as a status of the file; an error is one of the call.
type outcome struct {
	status syntax.Status
	detail string
}

// ask has one request done, and gives the body of the answer. The digest is that of everything that a stranger wrote in
// it; it is computed only when something is in quarantine, or gets there.
func (a *analyst) ask(ctx context.Context, kind wire.Kind, d func() digest, message []byte) ([]byte, *outcome, error) {
	if a.quarantine.holds(d) {
		return nil, &outcome{syntax.StatusQuarantined, "this content killed a parser twice and is not tried again"}, nil
	}
	body, err := a.children.Do(ctx, pool.Request{Kind: kind, Limit: a.fileTimeout, Message: message})
	var killed *pool.Killed
	var failed *pool.Failed
	switch {
	case err == nil:
		return body, nil, nil
	case errors.As(err, &killed):
		// A child that had less than its time was killed for its caller's haste, not for the content.
		if killed.Reason != pool.TimedOut || killed.Limit >= a.fileTimeout {
			a.quarantine.killed(d())
		}
		a.log.Warn("parser child did not survive a file", "reason", string(killed.Reason), "detail", killed.Detail, "bytes", len(message))
		if killed.Reason == pool.TimedOut {
			return nil, &outcome{syntax.StatusTimeout, "parsing it took too long: " + killed.Detail}, nil
		}
		return nil, &outcome{syntax.StatusCrashed, "its parser crashed: " + killed.Detail}, nil
	case errors.As(err, &failed):
		a.log.Error("parser child failed", "detail", failed.Detail)
		return nil, &outcome{syntax.StatusCrashed, "its parser failed"}, nil
	case errors.Is(err, pool.ErrStopped):
		return nil, nil, unavailable(ctx, "the parser is stopping")
	default:
		return nil, nil, status.FromContextError(err).Err()
	}
}

// analyze answers for one file with the bytes of an AnalyzeFilesResponse. raw are the bytes of req: they go to the child
// as they came, and so do those of the child's answer, checked and given the name of whom they answer.
func (a *analyst) analyze(ctx context.Context, req *parserv1.AnalyzeFilesRequest, raw []byte) ([]byte, error) {
	begun := time.Now()
	body, answer, err := a.answer(ctx, req, raw)
	if err != nil {
		return nil, err
	}
	a.metrics.file(answer.Language, answer.Status, time.Since(begun))
	return body, nil
}

func (a *analyst) answer(ctx context.Context, req *parserv1.AnalyzeFilesRequest, raw []byte) ([]byte, pbconv.Answer, error) {
	content := req.GetFile().GetContent()
	if s, detail := guard(content); s != syntax.StatusOK {
		return without(req, outcome{s, detail}, false)
	}
	d := digestOf(content)
	body, no, err := a.ask(ctx, wire.Analyze, d, raw)
	if err != nil {
		return nil, pbconv.Answer{}, err
	}
	if no != nil {
		return without(req, *no, true)
	}
	answer, err := a.checker.Check(body)
	if err != nil {
		// Our own child does not write such a thing. One that strangers took over does.
		a.quarantine.killed(d())
		a.log.Warn("parser child gave an answer that can't be read", "bytes", len(raw))
		return without(req, outcome{syntax.StatusCrashed, "its parser gave an answer that can't be read"}, true)
	}
	// Which file this is, we know better than a child that strangers feed.
	return pbconv.AppendIdentity(body, req.GetId(), req.GetFile().GetPath()), answer, nil
}

// without is the answer for a file that was not parsed: what its path alone says, and windows of its lines, which take no
// grammar, if it is text and chunks are wanted.
func without(req *parserv1.AnalyzeFilesRequest, o outcome, text bool) ([]byte, pbconv.Answer, error) {
	f := req.GetFile()
	language := f.GetLanguage()
	if language == "" {
		language = analysis.DetectByPath(f.GetPath())
	}
	resp := &parserv1.AnalyzeFilesResponse{Id: req.GetId(), Facts: pbconv.FactsToProto(syntax.Facts{
		Path: f.GetPath(), Language: language, Status: o.status, Detail: o.detail,
		Vendored: analysis.IsVendored(f.GetPath()), Lines: analysis.CountLines(f.GetContent()),
	})}
	if text && req.GetChunk() != nil {
		resp.Chunks = pbconv.ChunksToProto(chunk.Cut(f.GetPath(), f.GetContent(), nil, int(req.GetChunk().GetMaxTokens())))
	}
	body, err := proto.Marshal(resp)
	if err != nil {
		return nil, pbconv.Answer{}, status.Errorf(codes.Internal, "write answer: %v", err)
	}
	return body, pbconv.Answer{Language: language, Status: o.status}, nil
}

// facts answers for one file with the message itself, for who has a call of its own for it.
func (a *analyst) facts(ctx context.Context, req *parserv1.AnalyzeFilesRequest) (*parserv1.AnalyzeFilesResponse, error) {
	raw, err := proto.Marshal(req)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "write request to child: %v", err)
	}
	body, err := a.analyze(ctx, req, raw)
	if err != nil {
		return nil, err
	}
	resp := &parserv1.AnalyzeFilesResponse{}
	if err := proto.Unmarshal(body, resp); err != nil {
		return nil, status.Errorf(codes.Internal, "read answer: %v", err)
	}
	return resp, nil
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
	raw, err := proto.Marshal(req)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "write request to child: %v", err)
	}
	d := digestOf(content, replacement)
	body, no, err := a.ask(ctx, wire.Check, d, raw)
	if err != nil {
		return nil, err
	}
	if no != nil {
		return unknown, nil
	}
	resp := &parserv1.CheckSuggestionResponse{}
	if err := proto.Unmarshal(body, resp); err != nil {
		a.quarantine.killed(d())
		return unknown, nil
	}
	return resp, nil
}

// checkLines says what is wrong with the lines of a suggestion.
func checkLines(req *parserv1.CheckSuggestionRequest) error {
	start, end, lines := int(req.GetStartLine()), int(req.GetEndLine()), analysis.CountLines(req.GetFile().GetContent())
	if start < 1 || end < start || end > lines {
		return fmt.Errorf("lines %d to %d are not in a file of %d lines", start, end, lines)
	}
	return nil
}
