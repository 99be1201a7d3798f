package llmsvc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/prompt"
)

func TestSchemasAreChecked(t *testing.T) {
	t.Parallel()
	s := newSchemas()
	for name, tt := range map[string]struct{ name, text string }{
		"no name":       {"", `{}`},
		"a bad name":    {"a b", `{}`},
		"a long name":   {strings.Repeat("a", 65), `{}`},
		"not JSON":      {"n", `{`},
		"not an object": {"n", `true`},
		"not a schema":  {"n", `{"type":"thing"}`},
		"two":           {"n", `{} {}`},
		"from a file":   {"n", `{"$ref":"file:///etc/passwd"}`},
		"from the net":  {"n", `{"$ref":"http://127.0.0.1:1/x"}`},
		"a bad pattern": {"n", `{"pattern":"("}`},
		"huge":          {"n", `{"description":"` + strings.Repeat("x", maxSchemaBytes) + `"}`},
	} {
		if _, err := s.get(tt.name, tt.text); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "/work") || strings.Contains(err.Error(), "llmsvc/") {
			t.Errorf("%s: the error names the working directory: %v", name, err)
		}
	}
}

// A schema that refers to a file is refused, though there is one and it is a schema.
func TestSchemasReadNoFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "s.json")
	if err := os.WriteFile(file, []byte(`{"type":"object"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newSchema("n", `{"$ref":"file://`+file+`"}`); err == nil {
		t.Error("it was read")
	}
}

// The validator fails with a nil pointer on numbers whose exponent it cannot compute.
func TestNumbersThatWouldBreakTheValidator(t *testing.T) {
	t.Parallel()
	form, err := newSchema("n", `{"type":"object","properties":{"n":{"type":"number","maximum":1}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"1e-999999999999", "1e999999999", "-1E+401", "1e99999999999999999999", strings.Repeat("9", 100), "0." + strings.Repeat("1", 100)} {
		if content, wrong := form.accept(`{"n":` + n + `}`); wrong == nil {
			t.Errorf("%.20s was accepted as %s", n, content)
		}
	}
	for _, n := range []string{"1", "0.5", "-12e10", "1e-300", "0"} {
		if content, wrong := form.accept(`{"n":` + n + `}`); wrong != nil || content != `{"n":`+n+`}` {
			t.Errorf("%s: %q %+v", n, content, wrong)
		}
	}
}

func TestSchemasAreKept(t *testing.T) {
	t.Parallel()
	s := newSchemas()
	first, err := s.get("n", `{"type":"object"}`)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.get("n", `{"type":"object"}`); err != nil || again != first {
		t.Error("compiled twice")
	}
	for i := range 3 * maxSchemas {
		if _, err := s.get("n", fmt.Sprintf(`{"minItems":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.kept) > maxSchemas {
		t.Errorf("%d are kept", len(s.kept))
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		findingsSchema: true,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":["string","null"]}},"required":["a"]}`:                                                       true,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"$ref":"#/$defs/x"}},"required":["a"],"$defs":{"x":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`: true,
		`{"type":"object","additionalProperties":false,"properties":{},"required":[]}`:                                                                                        true,
		`{"type":"array","items":{"type":"string"}}`: false,
		`{"type":"object"}`:                          false,
		`{"type":"object","additionalProperties":true,"properties":{"a":{"type":"string"}},"required":["a"]}`:                                   false,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}},"required":[]}`:                                     false,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","maxLength":3}},"required":["a"]}`:                    false,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"oneOf":[{"type":"string"}]}},"required":["a"]}`:                      false,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"array","items":{"type":"object"}}},"required":["a"]}`:         false,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":["object","null"],"properties":{}}},"required":["a"]}`:         false,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"anyOf":[{"type":"object"}]}},"required":["a"]}`:                      false,
		`{"type":"object","additionalProperties":false,"properties":{"a":true},"required":["a"]}`:                                               false,
		`{"type":"object","additionalProperties":false,"properties":{},"required":[],"$defs":{"x":{"type":"object"}}}`:                          false,
		`{"anyOf":[{"type":"object","additionalProperties":false,"properties":{},"required":[]}],"type":"object","additionalProperties":false}`: false,
	} {
		s, err := newSchema("n", text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if s.strict != want {
			t.Errorf("%s: strict %v", text, s.strict)
		}
	}
}

// The product's own forms may be asked for strictly.
func TestOurSchemasAreStrict(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"summary": prompt.SummarySchema, "findings": prompt.FindingsSchema, "verdict": prompt.VerdictSchema} {
		if s, err := newSchema(name, text); err != nil || !s.strict {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMismatchesTellTheModelAndHideTheAnswer(t *testing.T) {
	t.Parallel()
	form, err := newSchema("findings", findingsSchema)
	if err != nil {
		t.Fatal(err)
	}
	_, wrong := form.accept(`{"findings":[{"path":"a","line":5000,"leak":1}]}`)
	if wrong == nil || !strings.Contains(wrong.text, "/findings/0/line") || !strings.Contains(wrong.text, "leak") {
		t.Errorf("the model is told %+v", wrong)
	}
	if strings.Contains(wrong.where, "leak") || !strings.Contains(wrong.where, "/properties/line/maximum") {
		t.Errorf("others are told %q", wrong.where)
	}
}
