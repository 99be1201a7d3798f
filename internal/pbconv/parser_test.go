package pbconv_test

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

var (
	genStatus = rapid.SampledFrom([]syntax.Status{"", syntax.StatusOK, syntax.StatusUnsupported, syntax.StatusTooLarge,
		syntax.StatusBinary, syntax.StatusTimeout, syntax.StatusCrashed, syntax.StatusQuarantined, syntax.StatusPartial})
	genKind = rapid.SampledFrom([]syntax.Kind{"", syntax.Function, syntax.Method, syntax.Class, syntax.Struct,
		syntax.Interface, syntax.Enum, syntax.Type, syntax.Constant, syntax.Variable, syntax.Field, syntax.Module})
	genUse  = rapid.SampledFrom([]syntax.ReferenceKind{"", syntax.Call, syntax.TypeUse, syntax.Inherit, syntax.Read})
	genText = rapid.StringN(0, 12, 40)
	genLine = rapid.IntRange(0, 1<<31)
)

func genRange(t *rapid.T) syntax.Range {
	return syntax.Range{
		StartLine: genLine.Draw(t, "start line"), EndLine: genLine.Draw(t, "end line"),
		StartByte: genLine.Draw(t, "start byte"), EndByte: genLine.Draw(t, "end byte"),
	}
}

// some draws a list that is nil when it is empty, as it comes back.
func some[T any](t *rapid.T, what string, draw func(*rapid.T, int) T) []T {
	var out []T
	for i := range rapid.IntRange(0, 4).Draw(t, what) {
		out = append(out, draw(t, i))
	}
	return out
}

func genStrings(t *rapid.T, what string) []string {
	return some(t, what, func(t *rapid.T, _ int) string { return genText.Draw(t, what) })
}

func genFacts(t *rapid.T) syntax.Facts {
	f := syntax.Facts{
		Path: genText.Draw(t, "path"), Language: genText.Draw(t, "language"), Status: genStatus.Draw(t, "status"),
		Detail: genText.Draw(t, "detail"), Generated: rapid.Bool().Draw(t, "generated"),
		Vendored: rapid.Bool().Draw(t, "vendored"), Lines: genLine.Draw(t, "lines"),
	}
	f.Symbols = some(t, "symbols", func(t *rapid.T, i int) syntax.Symbol {
		return syntax.Symbol{
			Name: genText.Draw(t, "name"), Kind: genKind.Draw(t, "kind"), Range: genRange(t), NameRange: genRange(t),
			Container: genText.Draw(t, "container"), Signature: genText.Draw(t, "signature"), Parameters: genStrings(t, "parameters"),
			MinArguments: rapid.IntRange(-1, 9).Draw(t, "min"), MaxArguments: rapid.IntRange(-1, 9).Draw(t, "max"),
			Exported: rapid.Bool().Draw(t, "exported"), Doc: genText.Draw(t, "doc"), Test: rapid.Bool().Draw(t, "test"),
			Parent: rapid.IntRange(-1, i-1).Draw(t, "parent"),
		}
	})
	f.References = some(t, "references", func(t *rapid.T, _ int) syntax.Reference {
		return syntax.Reference{
			Name: genText.Draw(t, "used"), Kind: genUse.Draw(t, "use"), Receiver: genText.Draw(t, "receiver"),
			Arguments: rapid.IntRange(-1, 9).Draw(t, "arguments"), Range: genRange(t),
			Enclosing: rapid.IntRange(-1, len(f.Symbols)-1).Draw(t, "enclosing"),
		}
	})
	f.Imports = some(t, "imports", func(t *rapid.T, _ int) syntax.Import {
		return syntax.Import{Module: genText.Draw(t, "module"), Alias: genText.Draw(t, "alias"), Names: genStrings(t, "names"), Range: genRange(t)}
	})
	f.Errors = some(t, "errors", func(t *rapid.T, _ int) syntax.Error {
		return syntax.Error{Range: genRange(t), Message: genText.Draw(t, "message")}
	})
	return f
}

// wire sends a message through its bytes.
func wire[M proto.Message](t interface{ Fatal(...any) }, in, out M) M {
	b, err := proto.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnalysisSurvivesTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := syntax.Analysis{Facts: genFacts(t), Chunks: some(t, "chunks", func(t *rapid.T, _ int) syntax.Chunk {
			return syntax.Chunk{
				ID: genText.Draw(t, "id"), Range: genRange(t), Header: genText.Draw(t, "header"), Text: genText.Draw(t, "text"),
				Symbol: genText.Draw(t, "symbol"), Tokens: genLine.Draw(t, "tokens"),
			}
		})}
		sent := wire(t, pbconv.AnalysisToProto(7, want), &parserv1.AnalyzeFilesResponse{})
		if got := pbconv.AnalysisFromProto(sent); sent.GetId() != 7 || !reflect.DeepEqual(got, want) {
			t.Fatalf("id %d\n got  %+v\n want %+v", sent.GetId(), got, want)
		}
	})
}

func TestSourceSurvivesTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := syntax.Source{Path: genText.Draw(t, "path"), Content: rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "content")}
		if want.Chunk = rapid.Bool().Draw(t, "chunk"); want.Chunk {
			want.ChunkTokens = rapid.IntRange(0, 1000).Draw(t, "tokens")
		}
		sent := wire(t, pbconv.SourceToProto(9, want), &parserv1.AnalyzeFilesRequest{})
		if got := pbconv.SourceFromProto(sent); sent.GetId() != 9 || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestSuggestionSurvivesTheWire(t *testing.T) {
	t.Parallel()
	in := wire(t, pbconv.CheckSuggestionToProto(syntax.Source{Path: "a.go", Content: []byte("x")}, 2, 3, "new"), &parserv1.CheckSuggestionRequest{})
	if in.GetFile().GetPath() != "a.go" || in.GetStartLine() != 2 || in.GetEndLine() != 3 || in.GetReplacement() != "new" {
		t.Errorf("request %v", in)
	}
	for number := range parserv1.SuggestionVerdict_name {
		v, text := pbconv.VerdictFromProto(&parserv1.CheckSuggestionResponse{Verdict: parserv1.SuggestionVerdict(number), Reindented: "x"})
		if text != "x" || number != 0 && v == "" {
			t.Errorf("verdict %d is %q", number, v)
		}
		if back := pbconv.SuggestionVerdictToProto(v); int32(back) != number {
			t.Errorf("verdict %q is %v, not %d", v, back, number)
		}
	}
}

// Every value of the wire has a word in the domain and comes back as itself; one from the future is "not said".
func TestEveryParserEnumOfTheWireIsKnown(t *testing.T) {
	t.Parallel()
	check := func(name string, values map[int32]string, there func(int32) string, back func(string) int32) {
		for number, text := range values {
			word := there(number)
			if (word == "") != (number == 0) || back(word) != number {
				t.Errorf("%s %s is %q and comes back as %d", name, text, word, back(word))
			}
		}
		if there(99) != "" || back("nonsense") != 0 {
			t.Errorf("%s: an unknown value is not the zero value", name)
		}
	}
	check("status", parserv1.FileStatus_name,
		func(n int32) string { return string(pbconv.FileStatusFromProto(parserv1.FileStatus(n))) },
		func(s string) int32 { return int32(pbconv.FileStatusToProto(syntax.Status(s))) })
	check("kind", parserv1.SymbolKind_name,
		func(n int32) string { return string(pbconv.SymbolKindFromProto(parserv1.SymbolKind(n))) },
		func(s string) int32 { return int32(pbconv.SymbolKindToProto(syntax.Kind(s))) })
	check("use", parserv1.ReferenceKind_name,
		func(n int32) string { return string(pbconv.ReferenceKindFromProto(parserv1.ReferenceKind(n))) },
		func(s string) int32 { return int32(pbconv.ReferenceKindToProto(syntax.ReferenceKind(s))) })
}

func TestIndicesOfStrangersAreChecked(t *testing.T) {
	t.Parallel()
	f := pbconv.FactsFromProto(&parserv1.FileFacts{
		Symbols:    []*parserv1.Symbol{{Parent: 0}, {Parent: 1 << 30}, {Parent: 1}, {Parent: -7}, nil},
		References: []*parserv1.Reference{{Enclosing: 5}, {Enclosing: 4}, {Enclosing: -2}, nil},
	})
	var got []int
	for _, s := range f.Symbols {
		got = append(got, s.Parent)
	}
	for _, r := range f.References {
		got = append(got, r.Enclosing)
	}
	if want := []int{-1, -1, 1, -1, 0, -1, 4, -1, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTextThatIsNotUTF8CanBeSent(t *testing.T) {
	t.Parallel()
	const bad = "a\xffb"
	sent := wire(t, pbconv.AnalysisToProto(1, syntax.Analysis{
		Facts: syntax.Facts{
			Path: bad, Language: bad, Detail: bad,
			Symbols:    []syntax.Symbol{{Name: bad, Container: bad, Signature: bad, Doc: bad, Parameters: []string{bad}}},
			References: []syntax.Reference{{Name: bad, Receiver: bad}},
			Imports:    []syntax.Import{{Module: bad, Alias: bad, Names: []string{bad}}},
			Errors:     []syntax.Error{{Message: bad}},
		},
		Chunks: []syntax.Chunk{{ID: bad, Header: bad, Text: bad, Symbol: bad}},
	}), &parserv1.AnalyzeFilesResponse{})
	if name := sent.GetFacts().GetSymbols()[0].GetName(); name != "a\uFFFDb" || !utf8.ValidString(name) {
		t.Errorf("name %q", name)
	}
}
