// Package work is what a parser child does with a request: it reads a message of the parser's contract, analyses, and
// writes the message of the answer. It promises that an answer fits its frame: what is too much is cut, and said to be.
package work

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
	"github.com/openrabbit/openrabbit/parsersvc/internal/child"
	"github.com/openrabbit/openrabbit/parsersvc/internal/chunk"
	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// Worker answers requests, one at a time.
type Worker struct {
	analyzer *analysis.Analyzer
	// answer is the buffer of the last answer, which is written before the next request is read.
	answer []byte
}

var _ child.Handler = (*Worker)(nil)

// New gives a worker.
func New() *Worker { return &Worker{analyzer: analysis.New()} }

// parseShare is what a parse may have of a request's limit; the rest is for what comes after it. Beyond the limit the
// parent kills.
func parseShare(limit time.Duration) time.Duration { return limit * 3 / 4 }

// Handle answers an AnalyzeFilesRequest or a CheckSuggestionRequest with the response to it.
func (w *Worker) Handle(kind wire.Kind, limit time.Duration, message []byte) ([]byte, error) {
	switch kind {
	case wire.Analyze:
		var req parserv1.AnalyzeFilesRequest
		if err := proto.Unmarshal(message, &req); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		return w.analyze(&req, parseShare(limit))
	case wire.Check:
		var req parserv1.CheckSuggestionRequest
		if err := proto.Unmarshal(message, &req); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		resp, err := w.check(&req, parseShare(limit))
		if err != nil {
			return nil, err
		}
		return proto.Marshal(resp)
	default:
		return nil, fmt.Errorf("no such request: kind %d", kind)
	}
}

func source(f *parserv1.File) analysis.Source {
	return analysis.Source{Path: f.GetPath(), Content: f.GetContent(), Language: f.GetLanguage()}
}

func (w *Worker) analyze(req *parserv1.AnalyzeFilesRequest, limit time.Duration) ([]byte, error) {
	want := analysis.Want{NoReferences: req.GetWant().GetNoReferences()}
	for _, r := range req.GetWant().GetOnlyLines() {
		want.OnlyLines = append(want.OnlyLines, pbconv.RangeFromProto(r))
	}
	// Chunks need all definitions, so the lines that are wanted are chosen after them.
	all := want
	all.OnlyLines = nil
	facts, err := w.analyzer.Facts(source(req.GetFile()), all, limit)
	if err != nil {
		return nil, err
	}
	out := syntax.Analysis{}
	if req.GetChunk() != nil {
		out.Chunks = chunk.Cut(req.GetFile().GetPath(), req.GetFile().GetContent(), facts.Symbols, int(req.GetChunk().GetMaxTokens()))
	}
	want.Keep(&facts)
	out.Facts = facts
	w.answer = pbconv.AppendAnalysis(w.answer[:0], &out, limits())
	w.analyzer.Recycle(&out.Facts)
	return w.answer, nil
}

func (w *Worker) check(req *parserv1.CheckSuggestionRequest, limit time.Duration) (*parserv1.CheckSuggestionResponse, error) {
	checked, err := w.analyzer.Check(source(req.GetFile()), analysis.Suggestion{
		Start: int(req.GetStartLine()), End: int(req.GetEndLine()), Replacement: req.GetReplacement(),
	}, limit)
	if err != nil {
		return nil, err
	}
	return &parserv1.CheckSuggestionResponse{
		Verdict:     pbconv.SuggestionVerdictToProto(checked.Verdict),
		Reindented:  strings.ToValidUTF8(checked.Reindented, "\uFFFD"),
		AddedErrors: pbconv.SyntaxErrorsToProto(checked.Added),
	}, nil
}

// limits are what each list of an answer may take. Together they are less than wire.MaxAnswer.
func limits() pbconv.AnalysisLimits {
	return pbconv.AnalysisLimits{Symbols: 2 << 20, References: 2 << 20, Imports: 1 << 20, Chunks: 5 << 19}
}
