package repoconfig

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Bounds of what the file may say.
const (
	maxList         = 200
	maxInstructions = 8 << 10
	maxName         = 200
	maxGuidelines   = 10
)

// languageName keeps prose for the model out of a key that ends in a sentence of ours.
var languageName = regexp.MustCompile(`^\pL[\pL\pM ()-]{0,39}$`)

// decoder walks the parsed file and collects what is wrong with it.
type decoder struct {
	problems []Problem
}

// fields are the keys of a mapping and what reads each.
type fields map[string]func(n *yaml.Node, path string)

func (d *decoder) complain(n *yaml.Node, format string, args ...any) {
	p := Problem{Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line = n.Line
	}
	d.problems = append(d.problems, p)
}

// config reads the root.
func (d *decoder) config(n *yaml.Node, c *Config) {
	if n.Kind != yaml.MappingNode && !isNull(n) {
		d.complain(n, "the file must be a list of keys and values, as in `enabled: true`; it is ignored")
		d.problems[len(d.problems)-1].Fatal = true
		return
	}
	d.mapping(n, "", fields{
		"enabled":  func(n *yaml.Node, path string) { d.boolean(n, path, &c.Enabled) },
		"language": func(n *yaml.Node, path string) { d.language(n, path, &c.Language) },
		"reviews":  func(n *yaml.Node, path string) { d.reviews(n, path, &c.Reviews) },
	})
}

func (d *decoder) reviews(n *yaml.Node, path string, r *Reviews) {
	d.mapping(n, path, fields{
		"drafts": func(n *yaml.Node, path string) { d.boolean(n, path, &r.Drafts) },
		"labels": func(n *yaml.Node, path string) {
			d.mapping(n, path, fields{
				"require": func(n *yaml.Node, path string) { r.Labels.Require = d.names(n, path) },
				"ignore":  func(n *yaml.Node, path string) { r.Labels.Ignore = d.names(n, path) },
			})
		},
		"base_branches": func(n *yaml.Node, path string) {
			d.strings(n, path, func(item *yaml.Node, s string) {
				if d.glob(item, path, s) {
					r.BaseBranches = append(r.BaseBranches, s)
				}
			})
		},
		"path_filters":      func(n *yaml.Node, path string) { d.filters(n, path, r) },
		"path_instructions": func(n *yaml.Node, path string) { d.instructions(n, path, r) },
		"guidelines":        func(n *yaml.Node, path string) { d.files(n, path, &r.Guidelines) },
		"depth":             func(n *yaml.Node, path string) { d.depth(n, path, &r.Depth) },
		"min_severity":      func(n *yaml.Node, path string) { d.severity(n, path, "", &r.MinSeverity) },
		"min_confidence":    func(n *yaml.Node, path string) { d.fraction(n, path, &r.MinConfidence) },
		"max_comments":      func(n *yaml.Node, path string) { d.integer(n, path, 0, 50, &r.MaxComments) },
		"max_files":         func(n *yaml.Node, path string) { d.integer(n, path, 1, 1000, &r.MaxFiles) },
		"fail_check_on":     func(n *yaml.Node, path string) { d.severity(n, path, "never", &r.FailCheckOn) },
	})
}

// mapping calls the reader of each key. Unknown, repeated and merged keys are problems.
func (d *decoder) mapping(n *yaml.Node, path string, f fields) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.wrong(n, path, "keys and values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			d.complain(key, "only plain keys are read; anchors, aliases and merges are ignored")
			continue
		}
		full := key.Value
		if path != "" {
			full = path + "." + key.Value
		}
		read, known := f[key.Value]
		switch {
		case !known:
			d.complain(key, "unknown key %s is ignored%s", quoteKey(full), guess(key.Value, f))
		case seen[key.Value]:
			d.complain(key, "%s is given twice; the first one counts", quoteKey(full))
		case value.Kind == yaml.AliasNode:
			d.complain(value, "%s is an alias, which is not supported; the default is used", quoteKey(full))
		case !isNull(value):
			read(value, full)
		}
		seen[key.Value] = true
	}
}

// wrong says that a value is not of the wanted kind.
func (d *decoder) wrong(n *yaml.Node, path, want string) {
	d.complain(n, "%s must be %s; the default is used", quoteKey(path), want)
}

func (d *decoder) boolean(n *yaml.Node, path string, to *bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(to) != nil {
		d.wrong(n, path, "true or false")
	}
}

func (d *decoder) integer(n *yaml.Node, path string, least, most int, to *int) {
	var v int
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&v) != nil || v < least || v > most {
		d.wrong(n, path, fmt.Sprintf("a whole number from %d to %d", least, most))
		return
	}
	*to = v
}

func (d *decoder) fraction(n *yaml.Node, path string, to *float64) {
	var v float64
	tag := n.ShortTag()
	// The comparison is false for .nan.
	if n.Kind != yaml.ScalarNode || (tag != "!!float" && tag != "!!int") || n.Decode(&v) != nil || !(v >= 0 && v <= 1) {
		d.wrong(n, path, "a number from 0 to 1")
		return
	}
	*to = v
}

func (d *decoder) severity(n *yaml.Node, path, none string, to *finding.Severity) {
	want := "critical, high, medium, low or info"
	if none != "" {
		want = none + ", " + want
	}
	s, ok := text(n)
	if ok && none != "" && strings.EqualFold(s, none) {
		*to = finding.SeverityUnknown
		return
	}
	v, err := finding.ParseSeverity(s)
	if !ok || err != nil {
		d.wrong(n, path, want)
		return
	}
	*to = v
}

func (d *decoder) depth(n *yaml.Node, path string, to *review.Depth) {
	s, ok := text(n)
	depth := review.Depth(strings.ToLower(s))
	if !ok || !slices.Contains(review.Depths(), depth) {
		d.wrong(n, path, "quick, standard or deep")
		return
	}
	*to = depth
}

// files reads a list of paths of the repository. An empty list is one: nothing is wanted then.
func (d *decoder) files(n *yaml.Node, path string, to *[]string) {
	list := []string{}
	before := len(d.problems)
	d.strings(n, path, func(item *yaml.Node, s string) {
		switch {
		case len(list) == maxGuidelines:
			d.complain(item, "%s has more than %d entries; the rest is ignored", quoteKey(path), maxGuidelines)
		case len(s) > maxName || !fs.ValidPath(s) || s == "." || strings.ContainsAny(s, "\\*?[{"):
			d.complain(item, "%s: %s is no path of a file from the root; this entry is ignored", quoteKey(path), quoteKey(s))
		default:
			list = append(list, s)
		}
	})
	if len(list) > 0 || len(d.problems) == before {
		*to = list
	}
}

func (d *decoder) language(n *yaml.Node, path string, to *string) {
	s, ok := text(n)
	if !ok || !languageName.MatchString(s) {
		d.wrong(n, path, "the name or tag of a language, at most 40 letters, as in German or pt-BR")
		return
	}
	*to = s
}

// strings calls keep for each text of a list.
func (d *decoder) strings(n *yaml.Node, path string, keep func(item *yaml.Node, s string)) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, path, "a list")
		return
	}
	for i, item := range n.Content {
		if i == maxList {
			d.complain(item, "%s has more than %d entries; the rest is ignored", quoteKey(path), maxList)
			return
		}
		if s, ok := text(item); ok && s != "" {
			keep(item, s)
		} else {
			d.complain(item, "%s must hold texts; this entry is ignored", quoteKey(path))
		}
	}
}

func (d *decoder) names(n *yaml.Node, path string) []string {
	var list []string
	d.strings(n, path, func(item *yaml.Node, s string) {
		if len(s) > maxName {
			d.complain(item, "%s: an entry is longer than %d bytes and is ignored", quoteKey(path), maxName)
			return
		}
		list = append(list, s)
	})
	return list
}

func (d *decoder) filters(n *yaml.Node, path string, r *Reviews) {
	d.strings(n, path, func(item *yaml.Node, s string) {
		pattern, exclude := strings.CutPrefix(s, "!")
		pattern = directory(pattern)
		switch {
		case !d.glob(item, path, pattern):
		case exclude:
			r.Exclude = append(r.Exclude, pattern)
		default:
			r.Include = append(r.Include, pattern)
		}
	})
}

func (d *decoder) instructions(n *yaml.Node, path string, r *Reviews) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, path, "a list of entries with path and instructions")
		return
	}
	for i, item := range n.Content {
		if i == maxList {
			d.complain(item, "%s has more than %d entries; the rest is ignored", quoteKey(path), maxList)
			return
		}
		var got Instruction
		read := func(to *string) func(*yaml.Node, string) {
			return func(n *yaml.Node, path string) {
				if s, ok := text(n); ok {
					*to = s
				} else {
					d.complain(n, "%s must be text; this entry is ignored", quoteKey(path))
				}
			}
		}
		if item.Kind != yaml.MappingNode {
			d.complain(item, "%s must hold entries with path and instructions; this one is ignored", quoteKey(path))
			continue
		}
		before := len(d.problems)
		d.mapping(item, path, fields{"path": read(&got.Path), "instructions": read(&got.Instructions)})
		got.Path = directory(got.Path)
		got.Instructions = strings.TrimSpace(got.Instructions)
		switch {
		case got.Path == "" || got.Instructions == "":
			if len(d.problems) == before {
				d.complain(item, "%s: an entry needs both path and instructions; this one is ignored", quoteKey(path))
			}
		case len(got.Instructions) > maxInstructions:
			d.complain(item, "%s: the instructions are longer than %d KiB; this entry is ignored", quoteKey(path), maxInstructions>>10)
		case d.glob(item, path, got.Path):
			r.Instructions = append(r.Instructions, got)
		}
	}
}

// text gives a scalar as it is written, for what YAML would read as text, and for plain numbers and words such as
// `on`, which people write without quotes.
func text(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		return "", false
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool":
		return strings.TrimSpace(n.Value), true
	}
	return "", false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// quoteKey shows a key of the file; a key may hold anything.
func quoteKey(path string) string {
	if len(path) > 80 {
		path = path[:80] + "…"
	}
	return fmt.Sprintf("%q", path)
}

// guess names the known key that a wrong one was probably meant to be.
func guess(key string, f fields) string {
	for _, known := range slices.Sorted(maps.Keys(f)) {
		if distance(strings.ToLower(key), known) <= 2 {
			return fmt.Sprintf("; did you mean %q?", known)
		}
	}
	return ""
}

// distance is the number of letters to add, drop or change to get from a to b; large for long texts.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
