// Package grammar parses text with a tree-sitter grammar and finds what queries ask for, in one call into C for a file.
//
// The library parses; the rest is ours. Its cursor and its query engine would take as long again as the parse: they
// compute rows and columns that nobody asks for, keep every pattern that has begun as a state of its own, and a query
// for TypeScript takes 140 ms to compile. Here the tree is written down as an array in one pass (flatten.c), patterns
// are tried at the nodes that they begin with (match.c), and Go sees arrays of numbers: no node, no pointer into the
// tree, which is gone when the call returns. The memory of a parse is an arena that is taken back whole (arena.c).
//
// It promises that a query finds what the library's own engine finds with it, which the tests compare match by match;
// that a query is refused when it uses what is not understood here; and that the work after the parse is bounded by the
// number of nodes, whatever the text is made like. The parse itself is not bounded by anything in this process: whoever
// calls it with strangers' text does so in a child that can be killed.
package grammar
