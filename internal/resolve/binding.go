package resolve

import (
	"path"
	"regexp"
	"strings"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// Binding is a name that an import gives a file.
type Binding struct {
	// Local is the name in the file, "*" for all that the module exports.
	Local string
	// Name is the name in the module: empty for the module itself, "default" for its default export.
	Name string
	// Import is the index of the import.
	Import int
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// Bindings gives the names that a file's imports give it.
func Bindings(language string, imports []syntax.Import) []Binding {
	var list []Binding
	for i, imp := range imports {
		for _, n := range imp.Names {
			name, local, renamed := strings.Cut(n, " as ")
			if !renamed {
				local = name
			}
			list = append(list, Binding{Local: local, Name: name, Import: i})
		}
		switch {
		case imp.Alias != "":
			if imp.Alias == "." {
				list = append(list, Binding{Local: "*", Name: "*", Import: i})
			} else if imp.Alias != "_" {
				list = append(list, Binding{Local: imp.Alias, Import: i})
			}
		case len(imp.Names) > 0:
		case language == "go":
			list = append(list, Binding{Local: goPackageName(imp.Module), Import: i})
		case language == "python":
			list = append(list, Binding{Local: imp.Module, Import: i})
		}
	}
	return list
}

// goPackageName is what a package is called by custom: the last element of its path that is no version.
func goPackageName(module string) string {
	base := path.Base(module)
	if majorVersion.MatchString(base) {
		base = path.Base(path.Dir(module))
	}
	base, _, _ = strings.Cut(base, ".v")
	return strings.TrimPrefix(base, "go-")
}
