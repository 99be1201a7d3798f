package resolve

import (
	"path"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// goPackage gives the files of an imported package: those of its directory that are no tests.
func (t *Tree) goPackage(_, module string) []string {
	best := ""
	for name := range t.modules {
		if (module == name || strings.HasPrefix(module, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	if best == "" {
		return nil
	}
	// The root is "." as path.Dir says it.
	dir := path.Join(".", t.modules[best], strings.TrimPrefix(strings.TrimPrefix(module, best), "/"))
	var list []string
	for _, p := range t.dirs[dir] {
		if strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list[:min(len(list), maxPackage)]
}

// python gives the module, its package, and the modules that are imported by name from it.
func (t *Tree) python(from string, imp syntax.Import) []string {
	rest := strings.TrimLeft(imp.Module, ".")
	level := len(imp.Module) - len(rest)
	elements := strings.ReplaceAll(rest, ".", "/")
	wanted := func(base string) []string {
		var list []string
		if base != "" && base != "." {
			list = []string{base + ".py", base + "/__init__.py", base + ".pyi"}
		}
		for _, n := range imp.Names {
			if name, _, _ := strings.Cut(n, " as "); name != "*" {
				list = append(list, path.Join(base, name)+".py", path.Join(base, name)+"/__init__.py")
			}
		}
		return list
	}
	if level > 0 {
		base := path.Dir(from)
		for range level - 1 {
			base = path.Dir(base)
		}
		if elements == "" && base == "." {
			return nil
		}
		return t.existing(wanted(path.Join(base, elements)))
	}
	if !t.Known() {
		return wanted(elements)
	}
	var list []string
	for _, w := range wanted(elements) {
		if p := t.ending(from, w); p != "" && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// scriptEndings are tried after a module's name, in the order in which compilers try them.
var scriptEndings = []string{"", ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", "/index.ts", "/index.tsx", "/index.js", "/index.jsx", "/index.d.ts", "/index.mjs"}

// script gives the file of a module of JavaScript or TypeScript: relative, of a workspace's package, or by an alias.
func (t *Tree) script(from, module string) []string {
	module, _, _ = strings.Cut(module, "?")
	if strings.HasPrefix(module, ".") {
		list := t.existing(scriptFiles(path.Join(path.Dir(from), module)))
		return list[:min(len(list), 6)]
	}
	if !t.Known() || module == "" {
		return nil
	}
	if p := t.workspace(module); p != "" {
		return []string{p}
	}
	for _, tail := range aliased(module) {
		for _, file := range scriptFiles(tail) {
			if p := t.ending(from, file); p != "" && !strings.Contains(p, "node_modules/") {
				return []string{p}
			}
		}
	}
	return nil
}

// scriptFiles gives the files that a module's path may mean. TypeScript names the file that it will become.
func scriptFiles(base string) []string {
	var list []string
	for _, ending := range scriptEndings {
		if ending != "" || path.Ext(base) != "" {
			list = append(list, base+ending)
		}
	}
	if bare, ok := strings.CutSuffix(base, ".js"); ok {
		list = append(list, bare+".ts", bare+".tsx")
	}
	return list
}

// workspace finds the file of a package that the repository itself holds.
func (t *Tree) workspace(module string) string {
	best := ""
	for name := range t.packages {
		if (module == name || strings.HasPrefix(module, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	if best == "" {
		return ""
	}
	dir, rest := t.packages[best], strings.TrimPrefix(strings.TrimPrefix(module, best), "/")
	for _, base := range []string{path.Join(dir, rest), path.Join(dir, "src", rest)} {
		for _, file := range scriptFiles(base) {
			if t.files[file] {
				return file
			}
		}
	}
	return ""
}

// aliased gives the tails by which a module under an alias of tsconfig or of a bundler may be known: "app/x" from a base
// directory, "@shared/x" for shared/x, "@/a/b" and "~/a/b" for a/b.
func aliased(module string) []string {
	first, rest, several := strings.Cut(module, "/")
	if !several {
		return nil
	}
	switch {
	case first == "@" || first == "~" || first == "#" || first == "src":
		if first == "src" {
			return []string{module}
		}
		return []string{"src/" + rest, rest}
	case strings.HasPrefix(first, "@") || strings.HasPrefix(first, "$") || strings.HasPrefix(first, "~") || strings.HasPrefix(first, "#"):
		tails := []string{first[1:] + "/" + rest}
		if strings.Contains(rest, "/") {
			tails = append(tails, rest)
		}
		return tails
	}
	return []string{module}
}

// java gives the file of an imported class, or of the class whose member is imported.
func (t *Tree) java(from string, imp syntax.Import) []string {
	pkg := strings.ReplaceAll(imp.Module, ".", "/")
	var wanted []string
	for _, name := range imp.Names {
		if name == "*" {
			wanted = append(wanted, t.javaPackage(from, pkg)...)
			continue
		}
		wanted = append(wanted, pkg+"/"+name+".java")
	}
	if base := path.Base(pkg); base != "" && base[0] >= 'A' && base[0] <= 'Z' {
		wanted = append(wanted, pkg+".java")
	}
	if !t.Known() {
		root, _, ok := strings.Cut(from, "/java/")
		if !ok {
			return nil
		}
		for i := range wanted {
			wanted[i] = root + "/java/" + wanted[i]
		}
		return wanted
	}
	var list []string
	for _, w := range wanted {
		if p := t.ending(from, w); p != "" && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// javaPackage gives the files of a package that is imported whole.
func (t *Tree) javaPackage(from, pkg string) []string {
	best, share := "", -1
	for dir := range t.dirs {
		if dir == pkg || strings.HasSuffix(dir, "/"+pkg) {
			if n := common(from, dir); n > share || n == share && dir < best {
				best, share = dir, n
			}
		}
	}
	var list []string
	for _, p := range t.dirs[best] {
		if strings.HasSuffix(p, ".java") {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list[:min(len(list), maxPackage)]
}
