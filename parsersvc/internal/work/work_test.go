package work

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

func handle(t *testing.T, kind wire.Kind, req, resp proto.Message) {
	t.Helper()
	b, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = New().Handle(kind, time.Minute, b); err != nil {
		t.Fatal(err)
	}
	if len(b) > wire.MaxAnswer {
		t.Fatalf("answer of %d bytes", len(b))
	}
	if err := proto.Unmarshal(b, resp); err != nil {
		t.Fatal(err)
	}
}

// A small file can ask for a large answer: every member of a class has the class's name with it.
func TestAnswersFit(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "class %s {\n", strings.Repeat("N", 480))
	for i := range 19_000 {
		fmt.Fprintf(&b, "m%d(a) { %s.b(c%d) }\n", i, strings.Repeat("x", 10), i)
	}
	b.WriteString("}\n")
	var resp parserv1.AnalyzeFilesResponse
	handle(t, wire.Analyze, &parserv1.AnalyzeFilesRequest{
		Id: 3, File: &parserv1.File{Path: "a.js", Content: []byte(b.String())}, Chunk: &parserv1.ChunkLimits{},
	}, &resp)
	f := resp.GetFacts()
	if f.GetStatus() != parserv1.FileStatus_FILE_STATUS_PARTIAL || f.GetDetail() == "" || len(f.GetSymbols()) == 0 || len(resp.GetChunks()) == 0 {
		t.Errorf("%s %q: %d symbols, %d chunks", f.GetStatus(), f.GetDetail(), len(f.GetSymbols()), len(resp.GetChunks()))
	}
	for _, r := range f.GetReferences() {
		if int(r.GetEnclosing()) >= len(f.GetSymbols()) {
			t.Fatalf("reference in symbol %d of %d", r.GetEnclosing(), len(f.GetSymbols()))
		}
	}
}

func TestChunksAreOfTheWholeFile(t *testing.T) {
	t.Parallel()
	req := &parserv1.AnalyzeFilesRequest{
		File:  &parserv1.File{Path: "a.go", Content: []byte("package a\n\nfunc f() {}\n\nfunc g() {}\n")},
		Want:  &parserv1.Want{OnlyLines: []*parserv1.Range{{StartLine: 5, EndLine: 5}}},
		Chunk: &parserv1.ChunkLimits{},
	}
	var resp parserv1.AnalyzeFilesResponse
	handle(t, wire.Analyze, req, &resp)
	if len(resp.GetFacts().GetSymbols()) != 1 || resp.GetChunks()[0].GetRange().GetStartLine() != 1 {
		t.Errorf("answer %v", &resp)
	}
	resp.Reset()
	req.Chunk = nil
	handle(t, wire.Analyze, req, &resp)
	if len(resp.GetChunks()) != 0 {
		t.Errorf("chunks that nobody wants: %v", resp.GetChunks())
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	var resp parserv1.CheckSuggestionResponse
	handle(t, wire.Check, &parserv1.CheckSuggestionRequest{
		File: &parserv1.File{Path: "a.py", Content: []byte("def f():\n    return '\xff'\n")}, StartLine: 2, EndLine: 2, Replacement: "return 1",
	}, &resp)
	if resp.GetVerdict() != parserv1.SuggestionVerdict_SUGGESTION_VERDICT_REINDENTED || resp.GetReindented() != "    return 1" {
		t.Errorf("answer %v", &resp)
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	for _, kind := range []wire.Kind{wire.Analyze, wire.Check, wire.Hello, 99} {
		if _, err := New().Handle(kind, time.Second, []byte("\xff\xff")); err == nil {
			t.Errorf("kind %d is answered", kind)
		}
	}
}
