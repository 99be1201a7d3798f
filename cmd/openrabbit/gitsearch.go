package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openrabbit/openrabbit/internal/review"
)

const (
	// maxSites bounds what one search gives.
	maxSites = 4000
	// maxSiteText bounds the text of a line that was found.
	maxSiteText = 400
	// perSearch is how many names one search looks for.
	perSearch = 150
)

var (
	_ review.Tree    = gitFiles{}
	_ review.Symbols = gitFiles{}
)

// Paths implements review.Tree.
func (g gitFiles) Paths(ctx context.Context) ([]string, error) {
	args := []string{"ls-files", "-z"}
	if g.head != "" {
		args = []string{"ls-tree", "-r", "-z", "--name-only", "--full-tree", g.head}
	}
	out, err := git(ctx, g.root, args...)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// Affordable implements review.Tree: reading costs nothing here.
func (g gitFiles) Affordable() int { return 0 }

// Definitions implements review.Symbols.
func (g gitFiles) Definitions(ctx context.Context, names []string) ([]review.Site, error) {
	return g.search(ctx, names, func(any string) []string {
		return []string{
			// A word that defines, then the name, perhaps with what it belongs to.
			`(class|interface|enum|struct|record|trait|type|func|function|def|fn|fun|module|object|protocol|const|let|var|val|annotation)[ *&]+([A-Za-z_][A-Za-z0-9_]*\.)?` + any + `([^A-Za-z0-9_]|$)`,
			// A method of Go.
			`^func \([^)]*\) ` + any + `[([]`,
			// A method of a class: words and types, the name, parameters, and no end of a statement.
			`^[ 	]+([A-Za-z_@][A-Za-z0-9_<>,.?@]*[][]*[ 	]+)*` + any + `[ ]*(<[^>]*>)?\([^;]*$`,
		}
	})
}

// Uses implements review.Symbols.
func (g gitFiles) Uses(ctx context.Context, names []string) ([]review.Site, error) {
	return g.search(ctx, names, func(any string) []string {
		return []string{`(^|[^A-Za-z0-9_])` + any + `([^A-Za-z0-9_]|$)`}
	})
}

// plainWord is a name that may stand in a pattern.
var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// search runs git grep over the new side, tracked text files only.
func (g gitFiles) search(ctx context.Context, names []string, patterns func(any string) []string) ([]review.Site, error) {
	var words []string
	for _, n := range names {
		if plainWord.MatchString(n) {
			words = append(words, n)
		}
	}
	slices.Sort(words)
	var sites []review.Site
	for part := range slices.Chunk(slices.Compact(words), perSearch) {
		args := []string{"grep", "-n", "-z", "-I", "-E", "--full-name", "--no-color"}
		for _, p := range patterns("(" + strings.Join(part, "|") + ")") {
			args = append(args, "-e", p)
		}
		if g.head != "" {
			args = append(args, g.head)
		}
		out, err := git(ctx, g.root, append(args, "--")...)
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			continue // nothing was found
		}
		if err != nil {
			return nil, err
		}
		sites = append(sites, readSites(out, g.head)...)
	}
	slices.SortFunc(sites, func(a, b review.Site) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line)) })
	return slices.Compact(sites)[:min(len(sites), maxSites)], nil
}

// readSites reads "head:path NUL line NUL text" lines.
func readSites(out []byte, head string) []review.Site {
	var sites []review.Site
	for len(out) > 0 {
		name, rest, ok := bytes.Cut(out, []byte{0})
		number, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 {
			break
		}
		text, rest, _ := bytes.Cut(rest, []byte{'\n'})
		out = rest
		line, err := strconv.Atoi(string(number))
		if err != nil {
			continue
		}
		path := strings.TrimPrefix(string(name), head+":")
		if head == "" {
			path = string(name)
		}
		sites = append(sites, review.Site{Path: path, Line: line, Text: strings.ToValidUTF8(string(text[:min(len(text), maxSiteText)]), "\ufffd")})
	}
	return sites
}
