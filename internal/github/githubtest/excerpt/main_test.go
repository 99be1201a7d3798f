package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const whole = `{
 "openapi": "3.0.3", "info": {"version": "1", "license": {"name": "MIT"}},
 "paths": {
  "/a": {
   "get": {"summary": "prose", "x-github": {}, "parameters": [{"$ref": "#/components/parameters/p"}],
    "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/tree"}, "examples": {}}}}}},
   "post": {"responses": {"200": {"description": "ok"}}}
  },
  "/b": {"get": {"responses": {"200": {"$ref": "#/components/responses/gone"}}}}
 },
 "components": {
  "parameters": {"p": {"name": "p", "in": "query", "description": "prose", "schema": {"type": "string"}}},
  "schemas": {
   "tree": {"type": "object", "description": "prose", "properties": {"title": {"type": "string", "title": "prose"}, "child": {"$ref": "#/components/schemas/tree"}, "leaf": {"$ref": "#/components/schemas/leaf"}}},
   "leaf": {"type": "string", "example": "prose"}, "unused": {"type": "string"}
  }
 }
}`

func decoded(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(whole), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCut(t *testing.T) {
	t.Parallel()
	part, err := cut(decoded(t), []operation{{"get", "/a"}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"leaf":{"type":"string"}`, `"title":{"type":"string"}`, `"p":{"in":"query","name":"p","schema"`, `"description":"ok"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in %s", want, out)
		}
	}
	for _, never := range []string{"prose", "unused", `"post"`, `"/b"`, "x-github"} {
		if strings.Contains(string(out), never) {
			t.Errorf("%s is in %s", never, out)
		}
	}
}

func TestCutRefuses(t *testing.T) {
	t.Parallel()
	if _, err := cut(decoded(t), []operation{{"get", "/c"}}); err == nil {
		t.Error("an operation that is not there was cut out")
	}
	if _, err := cut(decoded(t), []operation{{"get", "/b"}}); err == nil || !strings.Contains(err.Error(), "responses/gone") {
		t.Errorf("a reference to nothing: %v", err)
	}
}
