package review

import (
	"path"

	"github.com/go-enry/go-enry/v2"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Indexable says whether a file of a repository belongs into the index of its code: text in a programming language that
// people wrote, by the same rules that decide what is reviewed.
func Indexable(name string, content []byte) bool {
	if len(content) == 0 || !OwnCode(name) {
		return false
	}
	if diff.IsBinary(content) || enry.IsGenerated(name, content) {
		return false
	}
	language := enry.GetLanguage(path.Base(name), content)
	return enry.GetLanguageType(language) == enry.Programming
}
