// Package archtest holds the dependency rule of the house as a test: who may import whom, which SDK has which single
// owner, and what a binary may link. It reads the import graph from `go list`, so a violation is a failing test with
// the import that causes it, not a convention.
package archtest
