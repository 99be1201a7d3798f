package pbconv_test

import (
	"math"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

var unlimited = pbconv.AnalysisLimits{Symbols: math.MaxInt, References: math.MaxInt, Imports: math.MaxInt, Chunks: math.MaxInt}

func genAnalysis(t *rapid.T) syntax.Analysis {
	return syntax.Analysis{Facts: genFacts(t), Chunks: some(t, "chunks", func(t *rapid.T, _ int) syntax.Chunk {
		return syntax.Chunk{
			ID: genText.Draw(t, "id"), Range: genRange(t), Header: genText.Draw(t, "header"), Text: genText.Draw(t, "text"),
			Symbol: genText.Draw(t, "symbol"), Tokens: genLine.Draw(t, "tokens"),
		}
	})}
}

// What is written and read by hand is what the generated code writes and reads.
func TestAnalysisByHand(t *testing.T) {
	t.Parallel()
	checker := pbconv.NewChecker()
	rapid.Check(t, func(t *rapid.T) {
		want := genAnalysis(t)
		b := pbconv.AppendAnalysis(nil, &want, unlimited)
		if answer, err := checker.Check(b); (err != nil) != (want.Facts.Status == "") || err == nil && (answer.Status != want.Facts.Status || answer.Language != want.Facts.Language) {
			t.Fatalf("checked: %+v, %v", answer, err)
		}
		b = pbconv.AppendIdentity(b, 7, want.Facts.Path)
		var got parserv1.AnalyzeFilesResponse
		if err := proto.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if expected := pbconv.AnalysisToProto(7, want); !proto.Equal(&got, expected) {
			t.Fatalf("written\n%v, not\n%v", &got, expected)
		}
		theirs, err := proto.Marshal(&got)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range [][]byte{b, theirs} {
			id, read, err := pbconv.ReadAnalysis(message)
			if err != nil || id != 7 || !reflect.DeepEqual(read, want) {
				t.Fatalf("read %d, %v\n got  %+v\n want %+v", id, err, read, want)
			}
		}
	})
}

// An answer that a stranger made is refused, or can be read by everybody.
func TestForgedAnalysis(t *testing.T) {
	t.Parallel()
	checker := pbconv.NewChecker()
	rapid.Check(t, func(t *rapid.T) {
		a := genAnalysis(t)
		b := pbconv.AppendAnalysis(nil, &a, unlimited)
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			if len(b) > 0 {
				b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
		}
		b = b[:rapid.IntRange(0, len(b)).Draw(t, "cut")]
		_, err := checker.Check(b)
		if _, _, readErr := pbconv.ReadAnalysis(b); err == nil && readErr != nil {
			t.Fatalf("let through, and cannot be read: %v", readErr)
		}
		if err != nil {
			return
		}
		var got parserv1.AnalyzeFilesResponse
		if err := proto.Unmarshal(pbconv.AppendIdentity(b, 9, "mine.go"), &got); err != nil {
			t.Fatalf("let through, and cannot be read: %v", err)
		}
		if got.GetId() != 9 || got.GetFacts().GetPath() != "mine.go" {
			t.Fatalf("it is the answer to file %d, %q", got.GetId(), got.GetFacts().GetPath())
		}
	})
}

// A field that the contract has and the checker does not know, or the other way round, would break every answer.
func TestShape(t *testing.T) {
	t.Parallel()
	var full func(m protoreflect.Message, depth int)
	full = func(m protoreflect.Message, depth int) {
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			switch {
			case f.IsList() && f.Kind() == protoreflect.MessageKind:
				full(m.Mutable(f).List().AppendMutable().Message(), depth+1)
			case f.IsList():
				m.Mutable(f).List().Append(protoreflect.ValueOfString("x"))
			case f.Kind() == protoreflect.MessageKind:
				full(m.Mutable(f).Message(), depth+1)
			case f.Kind() == protoreflect.StringKind:
				m.Set(f, protoreflect.ValueOfString("x"))
			case f.Kind() == protoreflect.BoolKind:
				m.Set(f, protoreflect.ValueOfBool(true))
			case f.Kind() == protoreflect.EnumKind:
				m.Set(f, protoreflect.ValueOfEnum(1))
			case f.Kind() == protoreflect.Uint64Kind:
				m.Set(f, protoreflect.ValueOfUint64(1))
			case f.Kind() == protoreflect.Uint32Kind:
				m.Set(f, protoreflect.ValueOfUint32(1))
			default:
				m.Set(f, protoreflect.ValueOfInt32(-1))
			}
		}
	}
	var m parserv1.AnalyzeFilesResponse
	full(m.ProtoReflect(), 0)
	b, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pbconv.NewChecker().Check(b); err != nil {
		t.Errorf("a message with every field set: %v", err)
	}
	id, a, err := pbconv.ReadAnalysis(b)
	if err != nil || !proto.Equal(pbconv.AnalysisToProto(id, a), &m) {
		t.Errorf("read and written again: %v\n%v, not\n%v", err, pbconv.AnalysisToProto(id, a), &m)
	}
}

func TestListsAreCutAtTheirLimits(t *testing.T) {
	t.Parallel()
	a := syntax.Analysis{Facts: syntax.Facts{Status: syntax.StatusOK}}
	for range 100 {
		a.Facts.Symbols = append(a.Facts.Symbols, syntax.Symbol{Name: "name", Parent: -1})
		a.Facts.References = append(a.Facts.References, syntax.Reference{Name: "name", Enclosing: 99})
	}
	limits := unlimited
	limits.Symbols = 1000
	_, got, err := pbconv.ReadAnalysis(pbconv.AppendAnalysis(nil, &a, limits))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Facts.Symbols); n == 0 || n == 100 || len(got.Facts.References) != 100 || got.Facts.References[0].Enclosing != -1 || got.Facts.Status != syntax.StatusPartial {
		t.Errorf("%d symbols, %d references in %d, status %s", n, len(got.Facts.References), got.Facts.References[0].Enclosing, got.Facts.Status)
	}
}

func FuzzReadAnalysis(f *testing.F) {
	a := syntax.Analysis{Facts: syntax.Facts{
		Path: "a.go", Status: syntax.StatusOK, Symbols: []syntax.Symbol{{Name: "f", Parameters: []string{"x"}}},
		References: []syntax.Reference{{Name: "g", Arguments: -1}}, Imports: []syntax.Import{{Module: "m", Names: []string{"n"}}},
		Errors: []syntax.Error{{Message: "unexpected"}},
	}, Chunks: []syntax.Chunk{{ID: "1", Text: "text"}}}
	f.Add(pbconv.AppendAnalysis(nil, &a, unlimited))
	checker := pbconv.NewChecker()
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, err := pbconv.ReadAnalysis(b)
		if _, checked := checker.Check(b); checked == nil && (err != nil || proto.Unmarshal(b, &parserv1.AnalyzeFilesResponse{}) != nil) {
			t.Error("let through, and cannot be read")
		}
	})
}
