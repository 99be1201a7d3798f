package llmsvc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	maxSchemaBytes = 256 << 10
	// maxSchemas bounds what is kept compiled; a deployment asks a handful.
	maxSchemas = 64
	// maxAnswer bounds what is read of an answer: ten times what a model writes at its limit.
	maxAnswer = 2 << 20
	// maxNumber bounds the digits of a number in an answer, maxNodes its values: the validator lists every mistake.
	maxNumber = 64
	maxNodes  = 100_000
	// maxComplaint bounds what a model is told of its mistakes.
	maxComplaint = 1500
	schemaURL    = "urn:openrabbit:answer"
)

var schemaNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// schema is a form of answers, ready to check them.
type schema struct {
	name string
	// text is compact JSON.
	text     json.RawMessage
	compiled *jsonschema.Schema
	// strict says that a server may be asked to hold the form by itself (OpenAI's rules for strict schemas).
	strict bool
}

// schemas compiles schemas and keeps them.
type schemas struct {
	mu   sync.Mutex
	kept map[string]*schema
}

func newSchemas() *schemas { return &schemas{kept: map[string]*schema{}} }

// get compiles a schema. Nothing is loaded from outside.
func (s *schemas) get(name, text string) (*schema, error) {
	if !schemaNames.MatchString(name) {
		return nil, errors.New("the schema's name must be 1 to 64 letters, digits, _ or -")
	}
	if len(text) > maxSchemaBytes {
		return nil, fmt.Errorf("the schema is larger than %d bytes", maxSchemaBytes)
	}
	key := name + "\x00" + text
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.kept[key]; ok {
		return known, nil
	}
	made, err := newSchema(name, text)
	if err != nil {
		return nil, err
	}
	if len(s.kept) >= maxSchemas {
		clear(s.kept)
	}
	s.kept[key] = made
	return made, nil
}

func newSchema(name, text string) (*schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, errors.New("the schema is not JSON")
	}
	if _, ok := doc.(map[string]any); !ok {
		return nil, errors.New("the schema is not a JSON object")
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{}) // the default one reads files
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("the schema is not a JSON Schema: %w", err)
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("the schema is not a JSON Schema: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return nil, errors.New("the schema is not JSON")
	}
	return &schema{name: name, text: compact.Bytes(), compiled: compiled, strict: strictRoot(doc)}, nil
}

// mismatch is why an answer does not fit. Its text goes back to the model and nowhere else: it may repeat the answer.
type mismatch struct {
	text string
	// where are the keywords of the schema that were broken, which hold nothing of the answer.
	where string
}

// accept gives the one value of an answer that fits the schema, as canonical JSON: keys in order, each once, so that
// every reader sees what was checked.
func (s *schema) accept(answer string) (string, *mismatch) {
	if len(answer) > maxAnswer {
		return "", &mismatch{text: "it is far too long", where: "it is far too long"}
	}
	found := candidates(answer)
	if len(found) == 0 {
		return "", &mismatch{text: "it is not JSON", where: "it is not JSON"}
	}
	var good []string
	var first *mismatch
	for _, text := range found {
		canonical, why := s.check(text)
		switch {
		case why == nil && !slices.Contains(good, canonical):
			good = append(good, canonical)
		case why != nil && first == nil:
			first = why
		}
	}
	switch len(good) {
	case 1:
		return good[0], nil
	case 0:
		return "", first
	default:
		return "", &mismatch{
			text:  "it holds more than one JSON value that would fit; give exactly one",
			where: "it holds more than one value that fits",
		}
	}
}

func (s *schema) check(text []byte) (string, *mismatch) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return "", &mismatch{text: "it is not JSON", where: "it is not JSON"}
	}
	nodes := maxNodes
	if !sane(value, &nodes) {
		const why = "it holds too many values, or a number too long or too large"
		return "", &mismatch{text: why, where: why}
	}
	if err := s.compiled.Validate(value); err != nil {
		return "", explain(err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", &mismatch{text: "it cannot be written as JSON", where: "it cannot be written as JSON"}
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// sane says whether a value has at most so many parts and all its numbers fit a float64. The validator computes with
// the exact ones and fails with a nil pointer on an exponent like 1e-999999999999.
func sane(value any, nodes *int) bool {
	if *nodes--; *nodes < 0 {
		return false
	}
	switch v := value.(type) {
	case json.Number:
		return saneNumber(v.String())
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !sane(item, nodes) })
	case map[string]any:
		for _, item := range v {
			if !sane(item, nodes) {
				return false
			}
		}
	}
	return true
}

func saneNumber(text string) bool {
	if len(text) > maxNumber {
		return false
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n < -400 || n > 400 {
			return false
		}
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

func explain(err error) *mismatch {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return &mismatch{text: "it does not fit the schema", where: "it does not fit the schema"}
	}
	text := invalid.Error()
	if _, list, ok := strings.Cut(text, "\n"); ok {
		text = list
	}
	var where []string
	for _, leaf := range leaves(invalid, nil) {
		_, place, _ := strings.Cut(leaf.SchemaURL, "#")
		place += "/" + strings.Join(leaf.ErrorKind.KeywordPath(), "/")
		if !slices.Contains(where, place) && len(where) < 3 {
			where = append(where, place)
		}
	}
	return &mismatch{text: clip(text, maxComplaint), where: "it breaks " + strings.Join(where, ", ") + " of the schema"}
}

func leaves(e *jsonschema.ValidationError, into []*jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return append(into, e)
	}
	for _, cause := range e.Causes {
		into = leaves(cause, into)
	}
	return into
}

// strictRoot says whether a schema follows OpenAI's rules for strict schemas.
func strictRoot(doc any) bool {
	root, ok := doc.(map[string]any)
	return ok && root["type"] == "object" && root["anyOf"] == nil && strictNode(root)
}

// strictNode holds the rules: objects name all their properties as required and allow no others, and only keywords
// that strict mode knows are used.
func strictNode(node any) bool {
	object, ok := node.(map[string]any)
	if !ok {
		return false
	}
	for keyword, value := range object {
		switch keyword {
		case "type", "enum", "const", "description", "title", "required", "additionalProperties", "$ref", "$schema", "$id",
			"pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems":
		case "properties", "$defs", "definitions":
			children, ok := value.(map[string]any)
			if !ok || !allStrict(children) {
				return false
			}
		case "items":
			if !strictNode(value) {
				return false
			}
		case "anyOf":
			choices, ok := value.([]any)
			if !ok || slices.ContainsFunc(choices, func(c any) bool { return !strictNode(c) }) {
				return false
			}
		default:
			return false
		}
	}
	if !describesObject(object) {
		return true
	}
	properties, _ := object["properties"].(map[string]any)
	required, _ := object["required"].([]any)
	if object["additionalProperties"] != false {
		return false
	}
	for name := range properties {
		if !slices.Contains(required, any(name)) {
			return false
		}
	}
	return true
}

func allStrict(children map[string]any) bool {
	for _, child := range children {
		if !strictNode(child) {
			return false
		}
	}
	return true
}

func describesObject(node map[string]any) bool {
	if node["properties"] != nil || node["type"] == "object" {
		return true
	}
	kinds, _ := node["type"].([]any)
	return slices.Contains(kinds, any("object"))
}

// clip gives at most n bytes of a text, whole characters, with a sign when something was cut.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
