package repoconfig_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/openrabbit/openrabbit/internal/repoconfig"
)

// node is a part of the published schema.
type node struct {
	Type        string
	Properties  map[string]node
	Additional  *bool `json:"additionalProperties"`
	Items       *node
	Enum        []any
	Default     any
	Examples    []any
	Minimum     *float64
	Maximum     *float64
	MaxItems    int
	Description string
}

func schema(t *testing.T) node {
	t.Helper()
	text, err := os.ReadFile("../../docs/openrabbit.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root node
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// under writes a value under its key as JSON, which is YAML too.
func under(path []string, value any) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == "[]" {
			value = []any{value}
		} else {
			value = map[string]any{path[i]: value}
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// What the schema allows the decoder takes, what it forbids the decoder complains of, and it knows the same keys.
func TestSchemaIsTheDecoders(t *testing.T) {
	t.Parallel()
	var keys []string
	accepts := func(path []string, value any) {
		if _, problems := repoconfig.Parse([]byte(under(path, value))); len(problems) > 0 {
			t.Errorf("the schema allows %s, the decoder says %v", under(path, value), problems)
		}
	}
	refuses := func(path []string, value any) {
		if _, problems := repoconfig.Parse([]byte(under(path, value))); len(problems) == 0 {
			t.Errorf("the schema forbids %s, the decoder does not", under(path, value))
		}
	}
	tried := 0
	var walk func(path []string, n node)
	walk = func(path []string, n node) {
		if n.Type == "object" {
			if n.Additional == nil || *n.Additional {
				t.Errorf("%v: unknown keys are allowed", path)
			}
			if !slices.Contains(path, "[]") {
				refuses(append(slices.Clone(path), "no_such_key"), 1)
			}
			for key, sub := range n.Properties {
				keys = append(keys, key)
				if sub.Description == "" {
					t.Errorf("%v.%s is not described", path, key)
				}
				walk(append(slices.Clone(path), key), sub)
			}
			return
		}
		if n.Type == "array" && n.Items != nil && n.Items.Type == "object" {
			walk(append(slices.Clone(path), "[]"), *n.Items)
			return
		}
		if slices.Contains(path, "[]") {
			return // an entry is only whole together; TestParseEverything has one
		}
		tried++
		for _, v := range slices.Concat(n.Enum, n.Examples) {
			accepts(path, v)
		}
		if n.Default != nil {
			accepts(path, n.Default)
			got, _ := repoconfig.Parse([]byte(under(path, n.Default)))
			if !reflect.DeepEqual(got, repoconfig.Default()) {
				t.Errorf("%v: the default %v is not the decoder's", path, n.Default)
			}
		}
		if len(n.Enum) > 0 {
			refuses(path, "no such word")
		}
		if n.Minimum != nil {
			accepts(path, *n.Minimum)
			accepts(path, *n.Maximum)
			refuses(path, *n.Minimum-1)
			refuses(path, *n.Maximum+1)
		}
		if n.MaxItems > 0 {
			many := slices.Repeat([]string{"a"}, n.MaxItems)
			accepts(path, many)
			refuses(path, append(many, "a"))
		}
		wrong := map[string]any{"boolean": "perhaps", "string": []int{1}, "array": "word", "number": "word", "integer": "word"}
		refuses(path, wrong[n.Type])
	}
	walk(nil, schema(t))
	if tried < 12 {
		t.Errorf("only %d keys were tried", tried)
	}
	source, err := os.ReadFile("decode.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s+"([a-z_]+)":\s+func`).FindAllSubmatch(source, -1) {
		if !slices.Contains(keys, string(m[1])) {
			t.Errorf("the schema does not know %s", m[1])
		}
	}
}
