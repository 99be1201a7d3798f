// Package queries holds the tree-sitter queries, a folder for each language, embedded in the binary.
//
// A folder has definitions.scm (definitions, parameters, comments, imports) and references.scm (uses of names). The
// captures are a small vocabulary that package analysis knows and refuses to go beyond; README.md lists it.
// Where two patterns capture the same name, the pattern that stands first wins, so special patterns come before general.
package queries

import "embed"

// Files are the queries, as <language>/<purpose>.scm.
//
//go:embed */*.scm
var Files embed.FS
