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
		resp, err := w.analyze(&req, parseShare(limit))
		if err != nil {
			return nil, err
		}
		return proto.Marshal(resp)
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

func (w *Worker) analyze(req *parserv1.AnalyzeFilesRequest, limit time.Duration) (*parserv1.AnalyzeFilesResponse, error) {
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
	resp := &parserv1.AnalyzeFilesResponse{Id: req.GetId()}
	if req.GetChunk() != nil {
		resp.Chunks = pbconv.ChunksToProto(chunk.Cut(req.GetFile().GetPath(), req.GetFile().GetContent(), facts.Symbols,
			int(req.GetChunk().GetMaxTokens())))
	}
	want.Keep(&facts)
	resp.Facts = pbconv.FactsToProto(facts)
	fit(resp)
	return resp, nil
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

// What each list of an answer may take, in bytes of the message. Together they are less than wire.MaxAnswer.
const (
	symbolBytes    = 2 << 20
	referenceBytes = 2 << 20
	importBytes    = 1 << 20
	chunkBytes     = 5 << 19
)

// fit cuts the lists of an answer to what they may take, and says so.
func fit(resp *parserv1.AnalyzeFilesResponse) {
	f := resp.GetFacts()
	cut := false
	f.Symbols = cutList(f.GetSymbols(), symbolBytes, &cut)
	f.References = cutList(f.GetReferences(), referenceBytes, &cut)
	f.Imports = cutList(f.GetImports(), importBytes, &cut)
	resp.Chunks = cutList(resp.GetChunks(), chunkBytes, &cut)
	if !cut {
		return
	}
	// What lies in a definition that was cut lies in none that is told of.
	for _, r := range f.GetReferences() {
		if int(r.GetEnclosing()) >= len(f.GetSymbols()) {
			r.Enclosing = -1
		}
	}
	if f.GetStatus() == pbconv.FileStatusToProto(syntax.StatusOK) {
		f.Status, f.Detail = pbconv.FileStatusToProto(syntax.StatusPartial), "it holds more than is listed"
	}
}

// cutList gives the beginning of a list that fits.
func cutList[M proto.Message](list []M, limit int, cut *bool) []M {
	size := 0
	for i, m := range list {
		// The tag and the length of an element take up to six bytes.
		if size += proto.Size(m) + 6; size > limit {
			*cut = true
			return list[:i]
		}
	}
	return list
}
