//go:build !cgo

package grammar

// The grammars are C. This does not compile, and its name says what is missing.
const _ = the_parser_needs_CGO_ENABLED_1_and_a_C_compiler
