// Package analysis turns source text into facts with tree-sitter. It runs in a parser child only: the C code below it
// is fed by strangers and may hang, crash or eat memory, and nothing inside one process can bound that.
//
// The work is done by queries, in C. A query's captures are a small vocabulary (see capture.go); Go sorts what they
// found, nests it by byte ranges and applies the few rules of a language that are no syntax (what is exported, what is
// a test). There is no walk over nodes: the one exception, the search for missing tokens, goes down only where the
// tree says that there is an error, and is bounded.
//
// Adding a language is a row in table and a folder of queries.
package analysis
