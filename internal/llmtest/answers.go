package llmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxDepth bounds the instance made for a schema that refers to itself.
const maxDepth = 16

// schemaURL names a schema under compilation; a plain name would be resolved against the working directory.
const schemaURL = "urn:openrabbit:llmtest"

var (
	quotedCode     = regexp.MustCompile(`"quote"\s*:\s*("(?:[^"\\]|\\.)*")`)
	quotedSeverity = regexp.MustCompile(`"?severity"?\s*[:=]\s*"?(critical|high|medium|low|info)\b`)
	addedLine      = regexp.MustCompile(`(?m)^\s*(?:\d+\s+)?\+([^+\n].*)$`)
)

// defaultAnswer is what a model with no opinion says.
func defaultAnswer(c *Call) string {
	var answer any
	switch c.Schema {
	case "summary":
		answer = map[string]any{"summary": "The change was read by a stand-in for a model.", "changes": []any{}, "risk": "low"}
	case "findings":
		answer = map[string]any{"findings": []any{}}
	case "verdict":
		answer = map[string]any{
			"verdict": "keep", "severity": severityIn(c.Prompt()), "quote": quoteIn(c.Prompt()),
			"reason": "The stand-in keeps what it is shown.",
		}
	case "":
		return "The stand-in has read it."
	}
	if answer != nil {
		text, err := encode(answer)
		if err == nil && (len(c.schema) == 0 || conforms(c.schema, string(text)) == nil) {
			return strings.TrimSpace(string(text))
		}
	}
	text, err := encode(smallest(c.schema))
	if err != nil {
		return "{}"
	}
	return strings.TrimSpace(string(text))
}

// quoteIn finds the code a verdict is asked about: the last "quote" of the conversation, else the first added line.
func quoteIn(prompt string) string {
	if all := quotedCode.FindAllStringSubmatch(prompt, -1); len(all) > 0 {
		var quote string
		if err := json.Unmarshal([]byte(all[len(all)-1][1]), &quote); err == nil {
			return quote
		}
	}
	if m := addedLine.FindStringSubmatch(prompt); m != nil {
		return m[1]
	}
	return ""
}

func severityIn(prompt string) string {
	if all := quotedSeverity.FindAllStringSubmatch(prompt, -1); len(all) > 0 {
		return all[len(all)-1][1]
	}
	return "medium"
}

// compile reads a JSON Schema; it loads nothing from outside.
func compile(schema json.RawMessage) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	if _, ok := doc.(map[string]any); !ok {
		return nil, errors.New("read schema: it is not an object")
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return compiled, nil
}

func conforms(schema json.RawMessage, text string) error {
	compiled, err := compile(schema)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err := compiled.Validate(value); err != nil {
		return fmt.Errorf("check answer: %w", err)
	}
	return nil
}

// notStrict says what of a schema a server refuses under strict: every object must name all its properties as
// required and allow no others.
func notStrict(schema json.RawMessage) string {
	var node any
	if err := json.Unmarshal(schema, &node); err != nil {
		return err.Error()
	}
	return looseAt(node, "")
}

func looseAt(node any, path string) string {
	object, ok := node.(map[string]any)
	if !ok {
		return ""
	}
	properties, _ := object["properties"].(map[string]any)
	if object["type"] == "object" || properties != nil {
		if object["additionalProperties"] != false {
			return fmt.Sprintf("In context=(%s), 'additionalProperties' is required to be supplied and to be false.", path)
		}
		required, _ := object["required"].([]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if !slices.Contains(required, any(name)) {
				return fmt.Sprintf("In context=(%s), 'required' is required to include every key in properties. Missing '%s'.", path, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if why := looseAt(properties[name], path+"/"+name); why != "" {
			return why
		}
	}
	for _, key := range []string{"items", "$defs", "anyOf"} {
		switch child := object[key].(type) {
		case []any:
			for i, c := range child {
				if why := looseAt(c, fmt.Sprintf("%s/%s/%d", path, key, i)); why != "" {
					return why
				}
			}
		case map[string]any:
			if key == "$defs" {
				for _, name := range slices.Sorted(maps.Keys(child)) {
					if why := looseAt(child[name], path+"/$defs/"+name); why != "" {
						return why
					}
				}
			} else if why := looseAt(child, path+"/"+key); why != "" {
				return why
			}
		}
	}
	return ""
}

// smallest makes the smallest instance of a plain schema: required properties, empty lists, first choices.
func smallest(schema json.RawMessage) any {
	var node any
	if err := json.Unmarshal(schema, &node); err != nil {
		return map[string]any{}
	}
	return instance(node, maxDepth)
}

func instance(node any, depth int) any {
	schema, ok := node.(map[string]any)
	if !ok || depth == 0 {
		return nil
	}
	if value, ok := schema["const"]; ok {
		return value
	}
	if values, ok := schema["enum"].([]any); ok && len(values) > 0 {
		return values[0]
	}
	if choices, ok := schema["anyOf"].([]any); ok && len(choices) > 0 {
		return instance(choices[0], depth-1)
	}
	kind := schema["type"]
	if kinds, ok := kind.([]any); ok && len(kinds) > 0 {
		kind = kinds[0]
	}
	number := func(key string) float64 { n, _ := schema[key].(float64); return n }
	switch kind {
	case "string":
		return strings.Repeat("-", int(number("minLength")))
	case "integer", "number":
		return number("minimum")
	case "boolean":
		return false
	case "null":
		return nil
	case "array":
		list := []any{}
		for range int(number("minItems")) {
			list = append(list, instance(schema["items"], depth-1))
		}
		return list
	default:
		object := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if key, ok := name.(string); ok {
				object[key] = instance(properties[key], depth-1)
			}
		}
		return object
	}
}
