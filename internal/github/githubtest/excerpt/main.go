// Command excerpt cuts the part of GitHub's OpenAPI description that the stand-in needs out of the whole of it.
//
// It keeps the operations that a list names and everything they refer to, and leaves out prose and examples. The
// whole description is the file generated/api.github.com.json of the npm package @octokit/openapi:
//
//	excerpt -from api.github.com.json -operations operations.txt -to openapi.json
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	from := flag.String("from", "", "the whole description")
	operations := flag.String("operations", "operations.txt", "the operations to keep")
	to := flag.String("to", "openapi.json", "the excerpt to write")
	flag.Parse()
	if err := run(*from, *operations, *to); err != nil {
		fmt.Fprintln(os.Stderr, "excerpt:", err)
		os.Exit(1)
	}
}

func run(from, operations, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read description: %w", err)
	}
	var whole map[string]any
	if err := json.Unmarshal(data, &whole); err != nil {
		return fmt.Errorf("decode %s: %w", from, err)
	}
	wanted, err := readOperations(operations)
	if err != nil {
		return err
	}
	part, err := cut(whole, wanted)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("write excerpt: %w", err)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(part); err != nil {
		return fmt.Errorf("encode excerpt: %w", err)
	}
	return out.Close()
}

// operation is one line of the list.
type operation struct{ method, path string }

func readOperations(name string) ([]operation, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read operations: %w", err)
	}
	defer f.Close()
	var all []operation
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		method, path, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("read operations: %q is not \"METHOD path\"", line)
		}
		all = append(all, operation{strings.ToLower(method), path})
	}
	return all, nil
}

// cut keeps the wanted operations and the closure of what they refer to.
func cut(whole map[string]any, wanted []operation) (map[string]any, error) {
	all, _ := whole["paths"].(map[string]any)
	paths := map[string]any{}
	for _, o := range wanted {
		item, _ := all[o.path].(map[string]any)
		op, ok := item[o.method]
		if !ok {
			return nil, fmt.Errorf("no operation %s %s in the description", o.method, o.path)
		}
		kept, _ := paths[o.path].(map[string]any)
		if kept == nil {
			kept = map[string]any{}
			if p, ok := item["parameters"]; ok {
				kept["parameters"] = bare(p, false)
			}
			paths[o.path] = kept
		}
		kept[o.method] = bare(op, false)
	}
	components := map[string]any{}
	var missing []string
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				kind, name, ok := strings.Cut(strings.TrimPrefix(ref, "#/components/"), "/")
				group, _ := components[kind].(map[string]any)
				if group == nil {
					group = map[string]any{}
					components[kind] = group
				}
				if _, done := group[name]; done {
					return
				}
				source, found := lookUp(whole, kind, name)
				if !ok || !found {
					missing = append(missing, ref)
					return
				}
				part := bare(source, false)
				group[name] = part
				follow(part)
				return
			}
			for _, child := range v {
				follow(child)
			}
		case []any:
			for _, child := range v {
				follow(child)
			}
		}
	}
	follow(paths)
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("unresolved: %s", strings.Join(missing, ", "))
	}
	info, _ := whole["info"].(map[string]any)
	return map[string]any{
		"openapi": whole["openapi"],
		"info": map[string]any{
			"title": "An excerpt of GitHub's REST API", "version": info["version"], "license": info["license"],
		},
		"servers":    []any{map[string]any{"url": "https://api.github.com"}},
		"paths":      paths,
		"components": components,
	}, nil
}

func lookUp(whole map[string]any, kind, name string) (any, bool) {
	components, _ := whole["components"].(map[string]any)
	group, _ := components[kind].(map[string]any)
	v, ok := group[name]
	return v, ok
}

// bare copies a value without prose, examples and extensions. Inside "properties" the keys are names of the API and
// all stay.
func bare(v any, names bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			if !names && droppable(key, v) {
				continue
			}
			out[key] = bare(child, !names && key == "properties")
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = bare(child, false)
		}
		return out
	default:
		return v
	}
}

// droppable says which keys mean nothing to a validator. A response must have a description, so that one stays.
func droppable(key string, in map[string]any) bool {
	switch key {
	case "summary", "example", "examples", "externalDocs", "tags", "deprecated", "title":
		return true
	case "description":
		_, content := in["content"]
		_, headers := in["headers"]
		_, schema := in["schema"]
		_, typed := in["type"]
		_, operation := in["responses"]
		return !content && !headers && (schema || typed || operation || len(in) > 1)
	default:
		return strings.HasPrefix(key, "x-")
	}
}
