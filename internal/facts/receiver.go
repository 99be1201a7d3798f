package facts

import (
	"regexp"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// isOf says whether the code around a call proves that its receiver is of a type: the receiver is the method's own, or
// is declared or made with that type where the call can see it. A type of another package must be imported from there.
func (a *across) isOf(s *source, ref *syntax.Reference, c *change) bool {
	class := c.container
	if i := strings.LastIndexByte(class, '.'); i >= 0 {
		class = class[i+1:]
	}
	if !a.knows(s, c, class) {
		return false
	}
	receiver := strings.TrimSpace(ref.Receiver)
	fn := enclosingCallable(s.facts, ref)
	own := fn != nil && fn.Container == c.container && placeOf(s.path, s.facts.Language) == c.place || a.descends(s, fn, c, class)
	switch s.facts.Language {
	case "python":
		if receiver == "self" || receiver == "cls" {
			return own
		}
	case "go":
		// the receiver stands in the signature
	default:
		if receiver == "this" || receiver == "" {
			return own
		}
		if receiver == class {
			return s.facts.Language == "java" || isStatic(c)
		}
	}
	if receiver == "" {
		return false
	}
	field, rest := lastName(receiver)
	if !oneName.MatchString(field) {
		return made(receiver, class, s.facts.Language)
	}
	if rest == "" && fn != nil {
		if declares(s.between(fn.Range.StartLine, ref.Range.StartLine), fn.Signature, field, class, s.facts.Language) {
			return true
		}
		if s.facts.Language != "java" {
			return rest == "" && s.facts.Language != "go" && declares(s.topLevel(), "", field, class, s.facts.Language)
		}
	}
	return a.fieldOf(s, fn, field, rest, class)
}

// descends says whether the type of a method has the changed one's as its parent, and the name from no other place at
// hand.
func (a *across) descends(s *source, fn *syntax.Symbol, c *change, class string) bool {
	if fn == nil || fn.Container == "" || s.facts.Language == "go" {
		return false
	}
	var parents []string
	for i := range s.facts.Symbols {
		t := &s.facts.Symbols[i]
		if t.QualifiedName() != fn.Container || callable(t) {
			continue
		}
		for _, ref := range s.facts.References {
			// The head of a type is a few lines; further down other types stand in it.
			if n := ref.Range.StartLine - t.NameRange.StartLine; ref.Kind == syntax.Inherit && n >= 0 && n <= 2 {
				parents = append(parents, ref.Name)
			}
		}
	}
	if !slices.Contains(parents, class) || s.facts.Language == "python" && len(parents) > 1 {
		return false
	}
	return !slices.ContainsFunc(a.named[c.name], func(d defined) bool {
		return d.container == fn.Container || d.key != c.key && slices.Contains(parents, d.container)
	})
}

var oneName = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// lastName cuts s.store into store and s.
func lastName(receiver string) (name, rest string) {
	if i := strings.LastIndexByte(receiver, '.'); i >= 0 {
		return receiver[i+1:], receiver[:i]
	}
	return receiver, ""
}

// isStatic says whether a method belongs to its class and not to an object.
func isStatic(c *change) bool {
	return slices.ContainsFunc(c.before, func(s *syntax.Symbol) bool { return strings.Contains(" "+s.Signature, " static ") })
}

// enclosingCallable is the outermost function or method around a use: what it declares, the use can see.
func enclosingCallable(f *syntax.Facts, ref *syntax.Reference) *syntax.Symbol {
	var found *syntax.Symbol
	for at := ref.Enclosing; at >= 0 && at < len(f.Symbols); at = f.Symbols[at].Parent {
		if callable(&f.Symbols[at]) {
			found = &f.Symbols[at]
		}
	}
	return found
}

// declares says whether a text declares or makes a name with a type, and with no other type after that.
func declares(text, signature, name, class, language string) bool {
	n, t := regexp.QuoteMeta(name), regexp.QuoteMeta(class)
	var pattern string
	switch language {
	case "go":
		pattern = `\b` + n + `(?:, *\w+)*\s+\*?(?:\w+\.)?` + t + `\b|\b` + n + `(?:, *\w+)*\s*:?=\s*(?:&?(?:\w+\.)?` + t + `\{|new\((?:\w+\.)?` + t + `\)|(?:\w+\.)?[nN]ew` + strings.ToUpper(t[:1]) + t[1:] + `\()`
	case "python":
		pattern = `\b` + n + `\s*:\s*["']?(?:\w+\.)*` + t + `\b|\b` + n + `\s*=\s*(?:\w+\.)*` + t + `\(`
	case "java":
		pattern = `\b` + t + `(?:<[^;={}()]*>)?\s+` + n + `\b|\bvar\s+` + n + `\s*=\s*new\s+` + t + `\b`
	default:
		pattern = `\b` + n + `\s*[?!]?\s*:\s*` + t + `\b(?:[^.\[]|$)|\b` + n + `\s*=\s*new\s+` + t + `\b`
	}
	return regexp.MustCompile(pattern).MatchString(signature + "\n" + text)
}

// made says whether a receiver is an object made on the spot: new T(), T{}, T().
func made(receiver, class, language string) bool {
	t := regexp.QuoteMeta(class)
	switch language {
	case "python":
		return regexp.MustCompile(`^(?:\w+\.)*` + t + `\(`).MatchString(receiver)
	case "go":
		return regexp.MustCompile(`^\(?&?(?:\w+\.)?` + t + `\{|^(?:\w+\.)?New` + t + `\(`).MatchString(receiver)
	}
	return regexp.MustCompile(`^\(?new\s+` + t + `\b`).MatchString(receiver)
}

// fieldOf says whether a field of the object whose method makes the call has a type: s.store, this.store, self.store, or
// in Java store.
func (a *across) fieldOf(s *source, fn *syntax.Symbol, field, rest, class string) bool {
	language := s.facts.Language
	if fn == nil || fn.Container == "" {
		return false
	}
	switch {
	case language == "go":
		if !strings.HasPrefix(fn.Signature, "func ("+rest+" ") {
			return false
		}
	case language == "python" && rest != "self", script(language) && rest != "this", language == "java" && rest != "" && rest != "this":
		return false
	}
	for _, other := range a.sources {
		if placeOf(other.path, other.facts.Language) != placeOf(s.path, language) || other.facts.Language != language {
			continue
		}
		for i := range other.facts.Symbols {
			sym := &other.facts.Symbols[i]
			if sym.Container != fn.Container || sym.Name != field || sym.Kind != syntax.Field {
				continue
			}
			text := sym.Signature
			if sym.NameRange.StartLine <= len(other.lines) {
				text += "\n" + other.lines[sym.NameRange.StartLine-1]
			}
			if declares(text, "", field, class, language) {
				return true
			}
		}
	}
	return false
}

// between gives the text of some lines.
func (s *source) between(first, last int) string {
	first, last = max(first, 1), min(last, len(s.lines))
	if first > last {
		return ""
	}
	return strings.Join(s.lines[first-1:last], "\n")
}

// topLevel gives the lines that stand in no definition of a function.
func (s *source) topLevel() string {
	if s.top == nil {
		inside := make([]bool, len(s.lines)+2)
		for i := range s.facts.Symbols {
			if f := &s.facts.Symbols[i]; callable(f) {
				for n := f.Range.StartLine; n <= min(f.Range.EndLine, len(s.lines)); n++ {
					inside[n] = true
				}
			}
		}
		var b strings.Builder
		for i, l := range s.lines {
			if !inside[i+1] {
				b.WriteString(l + "\n")
			}
		}
		text := b.String()
		s.top = &text
	}
	return *s.top
}
