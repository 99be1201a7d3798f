// The one call into C: text in, nodes and matches out.
#ifndef OPENRABBIT_GRAMMAR_H
#define OPENRABBIT_GRAMMAR_H

#include "treesitter.h"

// What a node is.
enum { NODE_NAMED = 1, NODE_EXTRA = 2, NODE_MISSING = 4, NODE_ERROR = 8, NODE_HAS_ERROR = 16 };

// A node of a tree, in the order of the text, a parent before its children. The first child stands right after its
// parent, a sibling where the one before it ends.
typedef struct {
  uint32_t start, end;    // bytes
  uint32_t next;          // the index after its last descendant
  uint32_t parent;        // index; the root is its own
  uint16_t symbol, field;
  uint16_t flags;
} or_node;

// Symbols of a step that are none of the grammar's.
enum { STEP_ANY = 0xFFFE, STEP_ANY_NAMED = 0xFFFD };

enum { QUANTIFIER_ONE, QUANTIFIER_OPTIONAL, QUANTIFIER_STAR, QUANTIFIER_PLUS };

enum {
  STEP_IMMEDIATE = 1,   // nothing named stands between it and the sibling, or the parent's beginning, before it
  STEP_LAST = 2,        // nothing named follows the last of its children
  STEP_CAPTURES = 4,    // it or something in it is captured
  STEP_CHOICE = 8,      // it is one of its branches and no node itself
  STEP_MISSING = 16,    // only a missing node
};

#define STEP_MAX_CAPTURES 4

// A step of a pattern: one node and what must be in it. Indices are of the query's steps; -1 is none.
typedef struct {
  int32_t child, next;
  uint32_t list, list_length;  // of a choice its branches' first steps, otherwise fields that it must not have
  uint16_t symbol, field;
  uint8_t quantifier, flags, capture_count;
  uint16_t captures[STEP_MAX_CAPTURES];
} or_step;

// Where a pattern begins.
typedef struct { int32_t step; uint16_t pattern; uint16_t optional; } or_root;

// A query of one language. by_symbol has, for each symbol, where its roots begin in roots, and one more at the end;
// any are roots that begin with a wildcard.
typedef struct {
  const or_step *steps;
  const uint32_t *lists;
  const or_root *roots;
  const uint32_t *by_symbol;
  uint32_t symbol_count;
  const or_root *any;
  uint32_t any_count;
  const uint8_t *counted;  // for each capture whether its children are counted
} or_query;

// What a query found: for each match one word (pattern << 16 | number of captures), then for each capture three: its
// id | number of its named children << 16, its start, its end.
typedef struct { uint32_t *words; size_t length, capacity; uint32_t matches; bool whole; } or_matches;

#define MAX_QUERIES 2

// A node whose children are being gone through.
typedef struct {
  const HeapSubtree *tree;
  const uint16_t *aliases;      // of its production, or null
  const FieldMapEntry *fields;  // of its production
  uint32_t field_count;
  uint32_t child, structural;   // the next child, and its number among those that are no extras
  uint32_t byte;                // where the child before it ended
  uint32_t visible;             // the index of the visible node that it is or lies in
  uint16_t field;               // what its children inherit when it is hidden
  bool shown;                   // it is itself in the array
} or_frame;

// A place to work in, kept from file to file.
typedef struct {
  or_node *nodes;
  uint32_t node_count;
  size_t node_capacity;
  bool whole;
  or_matches found[MAX_QUERIES];
  or_frame *stack;
  size_t stack_capacity;
} or_work;

enum { RUN_OK, RUN_TIMEOUT, RUN_LANGUAGE, RUN_MEMORY };

// Parses text and runs the queries that are not null. What is in work is valid until the next run.
int or_run(or_work *, const TSLanguage *, const char *text, uint32_t length, uint64_t micros, uint32_t max_matches,
           const or_query *first, const or_query *second);
// Gives the memory back that a large file took.
void or_trim(or_work *, size_t keep);
void or_free(or_work *);

// Its own parts.
bool or_flatten(or_work *, const TSTree *);
bool or_match(or_work *, or_matches *, const or_query *, uint32_t max_matches);
void or_arena_install(void);
void or_arena_enter(void);
void or_arena_leave(void);

#endif
