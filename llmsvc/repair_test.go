package llmsvc

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestCandidates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   string
		want []string
	}{
		"as it is":           {`{"a":1}`, []string{`{"a":1}`}},
		"white space":        {"\ufeff \n{\"a\":1}\n", []string{`{"a":1}`}},
		"scalar":             {`"text"`, []string{`"text"`}},
		"fence":              {"```json\n{\"a\":1}\n```", []string{`{"a":1}`}},
		"fence, no name":     {"```\n[1]\n```\n", []string{`[1]`}},
		"words":              {`Here you are: {"a":"}{"} Hope it helps.`, []string{`{"a":"}{"}`}},
		"words with bracket": {`In {x} and [y, I saw {"a":[1,{"b":2}]}`, []string{`{"a":[1,{"b":2}]}`}},
		"two":                {`{"a":1} or {"a":2}`, []string{`{"a":1}`, `{"a":2}`}},
		"trailing commas":    {`{"a":[1,2,],"b":{"c":3,} , }`, []string{`{"a":[1,2],"b":{"c":3}  }`}},
		"comma in a string":  {`{"a":",}",}`, []string{`{"a":",}"}`}},
		"raw newline":        {"{\"a\":\"x\ny\tz\x01\"}", []string{`{"a":"x\ny\tz\u0001"}`}},
		"bytes":              {"{\"a\":\"x\xffy\",}", []string{"{\"a\":\"x\uFFFDy\"}"}},
		"escaped quote":      {`x {"a":"say \"{\" now"} y`, []string{`{"a":"say \"{\" now"}`}},
		"thoughts":           {`<think>maybe {"a":0}</think>{"a":1}`, []string{`{"a":1}`}},
		"endless thoughts":   {`<think>maybe {"a":0}`, []string{`{"a":0}`}},
		"unclosed":           {`{"a":[1,2`, nil},
		"mismatched":         {`{"a":[1}]`, nil},
		"not a number":       {`{"a":NaN}`, nil},
		"single quotes":      {`{'a':1}`, nil},
		"prose":              {`I found nothing.`, nil},
		"nothing":            {``, nil},
		"double comma":       {`{"a":1,,}`, nil},
	} {
		var got []string
		for _, c := range candidates(tt.in) {
			got = append(got, string(c))
		}
		if strings.Join(got, " | ") != strings.Join(tt.want, " | ") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Answers made to be slow are not.
func TestRepairIsQuick(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"open objects":   strings.Repeat("{", maxProse),
		"open arrays":    strings.Repeat("[", maxProse),
		"pairs":          strings.Repeat("{}", maxProse/2),
		"bad pairs":      strings.Repeat("{x}", maxProse/3),
		"quotes":         strings.Repeat(`{"`, maxProse/2),
		"commas":         "[" + strings.Repeat(",", maxProse-2) + "]",
		"beyond":         strings.Repeat("{x}", 4*maxProse),
		"deep":           strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"a long number":  `{"findings":[],"n":` + strings.Repeat("9", 1<<20) + `}`,
		"many errors":    `{"findings":[` + strings.Repeat(`{"x":1},`, 10_000) + `{}]}`,
		"more errors":    `{"findings":[` + strings.Repeat(`{},`, 600_000) + `{}]}`,
		"endless":        `{"findings":[` + strings.Repeat(`{},`, 2<<20) + `{}]}`,
		"a deep finding": `{"findings":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
	} {
		form, err := newSchemas().get("findings", findingsSchema)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, wrong := form.accept(text)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if wrong == nil {
			t.Errorf("%s was accepted", name)
		} else if len(wrong.text) > maxComplaint+len("…") || len(wrong.where) > 1000 {
			t.Errorf("%s: a complaint of %d bytes", name, len(wrong.text))
		}
	}
}

// Whatever a model writes: what is accepted is canonical JSON that fits, and nothing is invented.
func FuzzAccept(f *testing.F) {
	for _, seed := range []string{
		empty, "```json\n" + empty + "\n```", `{"findings":[{"path":"a","line":1,},]}`, `{"findings":[]} {"findings":[]}`,
		"{\"findings\":[{\"path\":\"a\nb\",\"line\":1e2}]}", `<think>{</think>{"findings":[]}`, `{"findings":[{"path":"\ud800","line":1}]}`,
		`{"findings":[{"path":"a","line":1e-999999999999}]}`, "\xff{\"findings\":[]}", `[[[{"findings":[]}]]]`,
	} {
		f.Add(seed)
	}
	form, err := newSchemas().get("findings", findingsSchema)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range candidates(text) {
			if !json.Valid(c) {
				t.Fatalf("a candidate that is not JSON: %q", c)
			}
		}
		content, wrong := form.accept(text)
		if wrong != nil {
			if wrong.text == "" || wrong.where == "" {
				t.Fatal("no reason")
			}
			return
		}
		again, wrong := form.accept(content)
		if wrong != nil || again != content {
			t.Fatalf("%q was accepted, then not: %q %+v", content, again, wrong)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(content)); err != nil || compact.String() != content {
			t.Fatalf("not compact: %q", content)
		}
		var value struct {
			Findings []struct {
				Path string
				Line float64
			}
		}
		if err := json.Unmarshal([]byte(content), &value); err != nil {
			t.Fatalf("a reader cannot read %q: %v", content, err)
		}
		if n := strings.Count(content, `"path":`); n < len(value.Findings) {
			t.Fatalf("%d findings from %d", len(value.Findings), n)
		}
	})
}
