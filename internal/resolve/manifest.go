package resolve

import (
	"cmp"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxManifests bounds the manifests that are worth reading.
const maxManifests = 60

// Manifests gives the manifests that say how the imports of some files are to be read: go.mod of each directory above
// one, and package.json of the packages that the modules they import may name. The nearest to the root come first.
func (t *Tree) Manifests(from []string, modules []string) []string {
	if !t.Known() {
		return nil
	}
	seen := map[string]bool{}
	var list []string
	add := func(p string) {
		if t.files[p] && !seen[p] {
			seen[p] = true
			list = append(list, p)
		}
	}
	for _, f := range from {
		if !strings.HasSuffix(f, ".go") {
			continue
		}
		for dir := path.Dir(f); ; dir = path.Dir(dir) {
			add(path.Join(dir, "go.mod"))
			if dir == "." || dir == "/" {
				break
			}
		}
	}
	words := map[string]bool{}
	for _, m := range modules {
		if strings.HasPrefix(m, ".") {
			continue
		}
		parts := strings.Split(strings.TrimPrefix(m, "@"), "/")
		words[parts[0]] = true
		if strings.HasPrefix(m, "@") && len(parts) > 1 {
			words[parts[1]], words[parts[0]+"-"+parts[1]] = true, true
		}
	}
	for _, p := range t.bases["package.json"] {
		if words[path.Base(path.Dir(p))] && !strings.Contains(p, "node_modules/") {
			add(p)
		}
	}
	for _, p := range t.bases["go.mod"] { // a module imports its neighbours
		if len(t.bases["go.mod"]) <= 12 && len(from) > 0 && slices.ContainsFunc(from, func(f string) bool { return strings.HasSuffix(f, ".go") }) {
			add(p)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(a, b))
	})
	return list[:min(len(list), maxManifests)]
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)"?`)

// AddManifest takes what a manifest says.
func (t *Tree) AddManifest(p string, content []byte) {
	dir := path.Dir(p)
	if dir == "." {
		dir = ""
	}
	switch path.Base(p) {
	case "go.mod":
		if m := moduleLine.FindSubmatch(content); m != nil {
			t.modules[string(m[1])] = dir
		}
	case "package.json":
		var manifest struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(content, &manifest) == nil && manifest.Name != "" {
			t.packages[manifest.Name] = dir
		}
	}
}
