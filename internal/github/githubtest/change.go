package githubtest

import (
	"fmt"
	"sort"
	"strings"

	anchored "github.com/rogpeppe/go-internal/diff"
)

// change is what happened to one file between two snapshots.
type change struct {
	oldPath, newPath     string
	status               string // GitHub's: added, removed, modified, renamed
	similarity           int    // of a rename, in percent
	oldSHA, newSHA       string
	binary               bool
	patch                string // the hunks, without a header
	additions, deletions int
	places               []place
}

// path is the name GitHub lists the file by.
func (c *change) path() string {
	if c.newPath != "" {
		return c.newPath
	}
	return c.oldPath
}

// place is the range of one hunk on both sides.
type place struct{ oldStart, oldEnd, newStart, newEnd int }

// changes compares two snapshots, in the order of the paths.
func changes(before, after map[string]string) []*change {
	var all []*change
	gone, come := map[string]string{}, map[string]string{}
	for path, content := range before {
		if now, ok := after[path]; !ok {
			gone[path] = content
		} else if now != content {
			all = append(all, newChange("modified", path, path, content, now))
		}
	}
	for path, content := range after {
		if _, ok := before[path]; !ok {
			come[path] = content
		}
	}
	for _, to := range sorted(come) {
		from, best := "", 49
		for _, candidate := range sorted(gone) {
			if s := similarity(gone[candidate], come[to]); s > best {
				from, best = candidate, s
			}
		}
		if from == "" {
			all = append(all, newChange("added", "", to, "", come[to]))
			continue
		}
		c := newChange("renamed", from, to, gone[from], come[to])
		c.similarity = best
		all = append(all, c)
		delete(gone, from)
	}
	for _, path := range sorted(gone) {
		all = append(all, newChange("removed", path, "", gone[path], ""))
	}
	sort.Slice(all, func(i, j int) bool { return all[i].path() < all[j].path() })
	return all
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// similarity says how much of two texts is the same, in percent of the longer one, by lines.
func similarity(a, b string) int {
	if a == b {
		return 100
	}
	if a == "" || b == "" {
		return 0
	}
	lines := map[string]int{}
	for _, l := range strings.SplitAfter(a, "\n") {
		lines[l]++
	}
	same := 0
	for _, l := range strings.SplitAfter(b, "\n") {
		if lines[l] > 0 {
			lines[l]--
			same += len(l)
		}
	}
	return same * 100 / max(len(a), len(b))
}

func newChange(status, oldPath, newPath, before, after string) *change {
	c := &change{status: status, oldPath: oldPath, newPath: newPath}
	if oldPath != "" {
		c.oldSHA = blobSHA(before)
	}
	if newPath != "" {
		c.newSHA = blobSHA(after)
	}
	if before == after {
		return c
	}
	if c.binary = isBinary(before) || isBinary(after); c.binary {
		return c
	}
	_, text, _ := strings.Cut(string(anchored.Diff("a", []byte(before), "b", []byte(after))), "\n+++ b\n")
	c.patch = strings.TrimSuffix(text, "\n")
	c.walk()
	return c
}

func isBinary(content string) bool { return strings.ContainsRune(content[:min(len(content), 8000)], 0) }

// walk counts the lines of the patch and notes where its hunks are.
func (c *change) walk() {
	for _, line := range strings.Split(c.patch, "\n") {
		if strings.HasPrefix(line, "@@ ") {
			c.places = append(c.places, parsePlace(line))
			continue
		}
		switch {
		case strings.HasPrefix(line, "+"):
			c.additions++
		case strings.HasPrefix(line, "-"):
			c.deletions++
		}
	}
}

// parsePlace reads "@@ -1,2 +3,4 @@". A count that is left out is one.
func parsePlace(header string) place {
	fields := strings.Fields(header)
	span := func(s string) (start, end int) {
		var from, count int
		if n, _ := fmt.Sscanf(s, "%d,%d", &from, &count); n < 2 {
			count = 1
		}
		return from, from + count - 1
	}
	var p place
	if len(fields) >= 3 {
		p.oldStart, p.oldEnd = span(strings.TrimPrefix(fields[1], "-"))
		p.newStart, p.newEnd = span(strings.TrimPrefix(fields[2], "+"))
	}
	return p
}

// hunkAt gives the index of the hunk that shows a line on a side ("LEFT" or "RIGHT"), or -1.
func (c *change) hunkAt(side string, line int) int {
	for i, p := range c.places {
		start, end := p.newStart, p.newEnd
		if side == "LEFT" {
			start, end = p.oldStart, p.oldEnd
		}
		if line >= start && line <= end {
			return i
		}
	}
	return -1
}

// unified prints changes as git does.
func unified(all []*change) string {
	var b strings.Builder
	for _, c := range all {
		from, to := c.oldPath, c.newPath
		if from == "" {
			from = to
		}
		if to == "" {
			to = from
		}
		line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\n") }
		line("diff --git ", quoted("a/"+from), " ", quoted("b/"+to))
		index := "index " + short(c.oldSHA) + ".." + short(c.newSHA)
		switch c.status {
		case "added":
			line("new file mode 100644")
		case "removed":
			line("deleted file mode 100644")
		case "renamed":
			line("similarity index ", fmt.Sprint(c.similarity), "%")
			line("rename from ", quoted(from))
			line("rename to ", quoted(to))
			index += " 100644"
		default:
			index += " 100644"
		}
		if c.oldSHA != c.newSHA {
			line(index)
		}
		left, right := quoted("a/"+from), quoted("b/"+to)
		if c.oldPath == "" {
			left = "/dev/null"
		}
		if c.newPath == "" {
			right = "/dev/null"
		}
		switch {
		case c.binary:
			line("Binary files ", left, " and ", right, " differ")
		case c.patch != "":
			line("--- ", left, tab(left))
			line("+++ ", right, tab(right))
			line(c.patch)
		}
	}
	return b.String()
}

// tab ends a name with a blank in it, as git does in the lines of "---" and "+++".
func tab(name string) string {
	if strings.Contains(name, " ") && !strings.HasPrefix(name, `"`) {
		return "\t"
	}
	return ""
}

func short(sha string) string {
	if sha == "" {
		return "0000000"
	}
	return sha[:7]
}

// quoted writes a path as git does: between quotes, with escapes, when it has a byte that is no plain character.
func quoted(path string) string {
	plain := true
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c == '"' || c == '\\':
			b.WriteString("\\" + string(rune(c)))
			plain = false
		case c == '\t':
			b.WriteString(`\t`)
			plain = false
		case c == '\n':
			b.WriteString(`\n`)
			plain = false
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
			plain = false
		default:
			b.WriteByte(c)
		}
	}
	if plain {
		return path
	}
	return `"` + b.String() + `"`
}
