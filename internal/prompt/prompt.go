// Package prompt writes the questions that are put to a model: the texts, the form of the answers, and the care with
// which strangers' words are put between them.
//
// It promises that a pull request is data: everything from outside stands in blocks whose boundary does not occur in
// it, with hidden characters made visible, and never in a system prompt. The same input gives the same bytes, because
// answers are stored under a hash of the question.
package prompt

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"text/template"
)

//go:embed templates/*.tmpl
var sources embed.FS

// Change is what is said of the pull request as a whole.
type Change struct {
	// Repository is "owner/name". Number is 0 for a local change.
	Repository string
	Number     int
	// Title and Description are people's words.
	Title, Description string
}

// Line is one shown line.
type Line struct {
	// Marker is '+', '-' or ' '.
	Marker byte
	// Number is its number in the new file, 0 for a deleted line.
	Number int
	Text   string
}

// Part is a run of lines of one file.
type Part struct {
	// Scope is the signature of what encloses the part when the part does not show it. It may be empty.
	Scope string
	Lines []Line
	// Cut is the number of lines left out after the last.
	Cut int
}

// File is a changed file as it is shown.
type File struct {
	Path string
	// About says what happened to it: "added, Go", "renamed from old.go".
	About string
	Parts []Part
}

// Snippet is code from elsewhere in the repository.
type Snippet struct {
	Path string
	// Line is the first line's number.
	Line int
	// Why says what it has to do with the change: "calls Reserve", "definition of Stock", "similar code".
	Why, Text string
}

// Instruction is a maintainer's guidance for some paths.
type Instruction struct {
	Path, Text string
}

// SummaryInput is what a summary is made of.
type SummaryInput struct {
	Change   Change
	Language string
	Files    []File
	// Others are changed files that are not shown, a line each.
	Others []string
}

// FinderInput is what a finder is given.
type FinderInput struct {
	Change       Change
	Language     string
	Guidelines   string
	Instructions []Instruction
	// Part of Parts is this one, from 1.
	Part, Parts  int
	Files        []File
	Others       []string
	Surroundings []Snippet
	// Known are findings that need no model, a line each.
	Known       []string
	MaxFindings int
}

// VerifierInput is what a verifier is given.
type VerifierInput struct {
	Change       Change
	Language     string
	Files        []File
	Surroundings []Snippet
	// Claim is the candidate, as JSON.
	Claim string
}

// JudgeInput is what a judge of reviews compares: comments that should be made, and findings that were, numbered from 1.
type JudgeInput struct {
	Golden, Findings []string
}

// Prompt is one question, ready to ask.
type Prompt struct {
	System, User string
	// SchemaName is "summary", "findings", "verdict" or "matches"; Schema is the JSON Schema of the answer.
	SchemaName, Schema string
	// Hash identifies the template and the schema, not the data.
	Hash string
}

// Set holds the parsed templates. It is safe for concurrent use.
type Set struct {
	templates *template.Template
	hashes    map[string]string
}

// kinds are the prompts, by the name of their templates, with the schema of their answer.
var kinds = map[string]struct{ name, schema string }{
	"summary":  {name: "summary", schema: SummarySchema},
	"finder":   {name: "findings", schema: FindingsSchema},
	"verifier": {name: "verdict", schema: VerdictSchema},
	"judge":    {name: "matches", schema: MatchesSchema},
}

// Load parses the templates that are built in.
func Load() (*Set, error) {
	t, err := template.New("prompts").Option("missingkey=error").Funcs(functions("")).ParseFS(sources, "templates/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parse prompt templates: %w", err)
	}
	s := &Set{templates: t, hashes: map[string]string{}}
	for kind, k := range kinds {
		if s.hashes[kind], err = hash(kind, k.schema); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// hash covers all that the wording of a kind depends on.
func hash(kind, schema string) (string, error) {
	h := sha256.New()
	for _, name := range []string{"shared.tmpl", kind + ".system.tmpl", kind + ".user.tmpl"} {
		text, err := fs.ReadFile(sources, "templates/"+name)
		if err != nil {
			return "", fmt.Errorf("read prompt template %s: %w", name, err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(text))
		h.Write(text)
	}
	h.Write([]byte(schema))
	return kind + "-" + hex.EncodeToString(h.Sum(nil))[:16], nil
}

// Summary asks what the change does.
func (s *Set) Summary(in SummaryInput) (Prompt, error) { return s.build("summary", in) }

// Finder asks for the defects of a part of the change.
func (s *Set) Finder(in FinderInput) (Prompt, error) { return s.build("finder", in) }

// Verifier asks whether one claim holds.
func (s *Set) Verifier(in VerifierInput) (Prompt, error) { return s.build("verifier", in) }

// Judge asks which findings say what golden comments say. It is for measuring, never part of a review.
func (s *Set) Judge(in JudgeInput) (Prompt, error) { return s.build("judge", in) }

// build executes the two templates of a kind.
func (s *Set) build(kind string, in any) (Prompt, error) {
	system, err := s.execute(kind+".system.tmpl", "", in)
	if err != nil {
		return Prompt{}, err
	}
	// The text without a boundary says which boundary is free: one that does not occur anywhere in it.
	bare, err := s.execute(kind+".user.tmpl", "", in)
	if err != nil {
		return Prompt{}, err
	}
	user, err := s.execute(kind+".user.tmpl", boundary(bare), in)
	if err != nil {
		return Prompt{}, err
	}
	k := kinds[kind]
	return Prompt{System: system, User: user, SchemaName: k.name, Schema: k.schema, Hash: s.hashes[kind]}, nil
}

func (s *Set) execute(name, boundary string, in any) (string, error) {
	t, err := s.templates.Clone()
	if err != nil {
		return "", fmt.Errorf("copy prompt template %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Funcs(functions(boundary)).ExecuteTemplate(&b, name, in); err != nil {
		return "", fmt.Errorf("execute prompt template %s: %w", name, err)
	}
	return strings.TrimSpace(b.String()) + "\n", nil
}

// boundary gives twelve hexadecimal digits that follow from the text and don't occur in it.
func boundary(text string) string {
	sum := sha256.Sum256([]byte(text))
	for {
		b := hex.EncodeToString(sum[:6])
		if !strings.Contains(text, b) {
			return b
		}
		sum = sha256.Sum256(sum[:])
	}
}

// Tokens estimates how many tokens a text has, on the safe side for code: 3.5 bytes each.
func Tokens(text string) int { return (len(text)*2 + 6) / 7 }
