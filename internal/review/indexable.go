package review

import (
	"bytes"
	"path"

	"github.com/go-enry/go-enry/v2"
)

// sampleBytes is how much of a file tells whether it is text: as git does.
const sampleBytes = 8000

// Indexable says whether a file of a repository belongs into the index of its code: text in a programming language that
// people wrote, by the same rules that decide what is reviewed.
func Indexable(name string, content []byte) bool {
	if len(content) == 0 || !OwnCode(name) {
		return false
	}
	if bytes.IndexByte(content[:min(len(content), sampleBytes)], 0) >= 0 || enry.IsGenerated(name, content) {
		return false
	}
	language := enry.GetLanguage(path.Base(name), content)
	return enry.GetLanguageType(language) == enry.Programming
}
