package githubtest

import (
	"crypto/sha1" // git's object names are SHA-1
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"time"
)

// commit is a whole snapshot with its parents.
type commit struct {
	sha, tree string
	parents   []string
	files     map[string]string
	message   string
	at        time.Time
}

// object gives the name that git gives an object.
func object(kind, content string) string {
	sum := sha1.Sum([]byte(fmt.Sprintf("%s %d\x00%s", kind, len(content), content))) // git's object names are SHA-1
	return hex.EncodeToString(sum[:])
}

func blobSHA(content string) string { return object("blob", content) }

// treeEntry is a file or a folder of a tree.
type treeEntry struct{ path, mode, kind, sha, content string }

// treeOf gives the name of the tree of the files under a prefix, and all entries below it in git's order.
func treeOf(files map[string]string, prefix string) (string, []treeEntry) {
	here := map[string]treeEntry{}
	for path, content := range files {
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		name, _, deep := strings.Cut(rest, "/")
		if deep {
			here[name] = treeEntry{path: prefix + name, mode: "040000", kind: "tree"}
		} else {
			here[name] = treeEntry{path: path, mode: "100644", kind: "blob", sha: blobSHA(content), content: content}
		}
	}
	names := make([]string, 0, len(here))
	for name := range here {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { return sortKey(here, names[i]) < sortKey(here, names[j]) })
	var all []treeEntry
	var raw strings.Builder
	for _, name := range names {
		e := here[name]
		var below []treeEntry
		if e.kind == "tree" {
			e.sha, below = treeOf(files, e.path+"/")
		}
		all = append(append(all, e), below...)
		id, err := hex.DecodeString(e.sha)
		if err != nil {
			continue // cannot be: it is our own encoding
		}
		raw.WriteString(strings.TrimPrefix(e.mode, "0") + " " + name + "\x00" + string(id))
	}
	return object("tree", raw.String()), all
}

// sortKey orders a tree as git does: a folder as if its name ended in a slash.
func sortKey(entries map[string]treeEntry, name string) string {
	if entries[name].kind == "tree" {
		return name + "/"
	}
	return name
}

// epoch is when the history of every repository begins. Commits take their date from their number in it, so that the
// same history has the same hashes each time.
var epoch = time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)

// commit adds a snapshot to the repository.
func (r *repository) commit(files map[string]string, message string, parents ...string) *commit {
	c := &commit{files: make(map[string]string, len(files)), message: message, parents: parents}
	for path, content := range files {
		c.files[path] = content
	}
	c.at = epoch.Add(time.Duration(r.made) * time.Minute)
	if r.clock != nil {
		c.at = r.clock()
	}
	r.made++
	c.tree, _ = treeOf(c.files, "")
	var raw strings.Builder
	raw.WriteString("tree " + c.tree + "\n")
	for _, p := range parents {
		raw.WriteString("parent " + p + "\n")
	}
	who := fmt.Sprintf("Somebody <somebody@example.com> %d +0000", c.at.Unix())
	raw.WriteString("author " + who + "\ncommitter " + who + "\n\n" + message + "\n")
	c.sha = object("commit", raw.String())
	r.commits[c.sha] = c
	return c
}

// ancestors gives a commit and all that it builds on, with the distance of each.
func (r *repository) ancestors(sha string) map[string]int {
	far := map[string]int{sha: 0}
	for todo := []string{sha}; len(todo) > 0; todo = todo[1:] {
		c := r.commits[todo[0]]
		if c == nil {
			continue
		}
		for _, p := range c.parents {
			if _, seen := far[p]; !seen {
				far[p] = far[todo[0]] + 1
				todo = append(todo, p)
			}
		}
	}
	return far
}

// mergeBase gives the nearest common ancestor, "" when there is none.
func (r *repository) mergeBase(a, b string) string {
	ofA, ofB := r.ancestors(a), r.ancestors(b)
	best, distance := "", -1
	for sha, d := range ofB {
		if _, ok := ofA[sha]; ok && r.commits[sha] != nil && (distance < 0 || d < distance) {
			best, distance = sha, d
		}
	}
	return best
}

// between gives the commits of head that base does not have, oldest first.
func (r *repository) between(base, head string) []*commit {
	known := r.ancestors(base)
	var all []*commit
	for sha := range r.ancestors(head) {
		if _, ok := known[sha]; !ok && r.commits[sha] != nil {
			all = append(all, r.commits[sha])
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].at.Before(all[j].at) })
	return all
}

// resolve finds the commit of a branch or a hash.
func (r *repository) resolve(ref string) *commit {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "refs/"), "heads/")
	if sha, ok := r.branches[ref]; ok {
		return r.commits[sha]
	}
	return r.commits[ref]
}
