package repoconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxBytes is the largest file that is read.
const MaxBytes = 64 << 10

// maxProblems bounds the list for a file that is wrong all over.
const maxProblems = 50

// Problem is a mistake in the file, for the people who wrote it.
type Problem struct {
	// Line is 1-based, 0 when the file as a whole is meant.
	Line int
	// Message is one sentence without a final stop: what is wrong, and what is done about it.
	Message string
	// Fatal is set when nothing of the file could be read and everything has its default.
	Fatal bool
}

// String is the problem as a reader sees it.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", FileName, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", FileName, p.Line, p.Message)
}

// Parse reads the file. No content is no mistake. The problems are in the order of the file.
func Parse(content []byte) (Config, []Problem) {
	if len(content) > MaxBytes {
		return Default(), []Problem{{Message: fmt.Sprintf("the file is larger than %d KiB and is ignored", MaxBytes>>10), Fatal: true}}
	}
	doc, more, err := document(content)
	if err != nil {
		line, message := describe(err)
		return Default(), []Problem{{Line: line, Message: "not valid YAML, the file is ignored: " + message, Fatal: true}}
	}
	d := &decoder{}
	c := Default()
	if doc != nil {
		d.config(doc, &c)
	}
	if more {
		d.complain(nil, "only the first YAML document is read")
	}
	if extra := len(d.problems) - maxProblems; extra > 0 {
		d.problems = append(d.problems[:maxProblems], Problem{Message: fmt.Sprintf("and %d more problems", extra)})
	}
	return c, d.problems
}

// document parses the first document without building values, so that aliases are not expanded. It gives nil for a
// file with nothing but comments.
func document(content []byte) (root *yaml.Node, more bool, err error) {
	// The library has let panics through for hostile input before; a repository must not end the process.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("parse: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, false, nil
		}
		return nil, false, err
	}
	var next yaml.Node
	more = !errors.Is(dec.Decode(&next), io.EOF)
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil, more, nil
	}
	return doc.Content[0], more, nil
}

// yamlLine finds the line in the library's messages: "yaml: line 3: could not find expected ':'".
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(?s:(.*))$`)

// describe splits the library's message into line and text.
func describe(err error) (line int, message string) {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	return line, strings.TrimSpace(m[2])
}
