package eval

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Definition is a definition that a change uses, and where it uses it.
type Definition struct {
	Symbol string `json:"symbol"`
	Path   string `json:"def_path"`
	Line   int    `json:"def_line"`
	Scope  string `json:"scope"`
	Uses   []Use  `json:"uses"`
}

// Use is a line of the new side.
type Use struct {
	Path string
	Line int
}

// UnmarshalJSON reads [path, line].
func (u *Use) UnmarshalJSON(text []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(text, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("a use is [path, line]: %w", err)
	}
	if err := json.Unmarshal(pair[0], &u.Path); err != nil {
		return fmt.Errorf("path of a use: %w", err)
	}
	if err := json.Unmarshal(pair[1], &u.Line); err != nil {
		return fmt.Errorf("line of a use: %w", err)
	}
	return nil
}

// ParseSurroundings reads the definitions that a pull request uses and that stand in files it does not touch.
func ParseSurroundings(text []byte) ([]Definition, error) {
	var raw struct{ Gold []Definition }
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("read surroundings: %w", err)
	}
	var list []Definition
	for _, d := range raw.Gold {
		if d.Scope == "cross_file" {
			list = append(list, d)
		}
	}
	return list, nil
}

// Shown are the lines of files that a prompt shows, read from its text: what the model saw, not what was meant.
type Shown map[string]map[int]bool

var (
	opened  = regexp.MustCompile(`^<<([0-9a-f]{12}) (file|surroundings)>>$`)
	snippet = regexp.MustCompile(`^(|\S.*):(\d+) \((?:[^()]|\([^()]*\))+\)$`)
	coded   = regexp.MustCompile(`^\s*(\d+) [ +]`)
)

// ParsePrompt finds the lines that the user's part of a finder's prompt shows.
func ParsePrompt(user string) Shown {
	shown := Shown{}
	kind, boundary, path, line := "", "", "", 0
	for _, text := range strings.Split(user, "\n") {
		if m := opened.FindStringSubmatch(text); m != nil && kind == "" {
			boundary, kind, path = m[1], m[2], ""
			continue
		}
		if kind != "" && text == "<<end "+boundary+">>" {
			kind = ""
			continue
		}
		switch kind {
		case "file":
			if rest, ok := strings.CutPrefix(text, "path: "); ok && path == "" {
				path = rest
			} else if m := coded.FindStringSubmatch(text); m != nil {
				n, _ := strconv.Atoi(m[1])
				shown.add(path, n)
			}
		case "surroundings":
			if m := snippet.FindStringSubmatch(text); m != nil {
				if m[1] != "" {
					path = m[1]
				}
				line, _ = strconv.Atoi(m[2])
				continue
			}
			shown.add(path, line)
			line++
		}
	}
	return shown
}

func (s Shown) add(path string, line int) {
	if s[path] == nil {
		s[path] = map[int]bool{}
	}
	s[path][line] = true
}

// Included counts the definitions that stand in a prompt together with a line that uses them.
func Included(defs []Definition, prompts []Shown) int {
	n := 0
	for _, d := range defs {
		if d.in(prompts) {
			n++
		}
	}
	return n
}

// Missing gives the definitions that Included does not count.
func Missing(defs []Definition, prompts []Shown) []Definition {
	var list []Definition
	for _, d := range defs {
		if !d.in(prompts) {
			list = append(list, d)
		}
	}
	return list
}

func (d Definition) in(prompts []Shown) bool {
	for _, p := range prompts {
		if !p[d.Path][d.Line] {
			continue
		}
		for _, u := range d.Uses {
			if p[u.Path][u.Line] {
				return true
			}
		}
	}
	return false
}
