// What this package knows of tree-sitter: its API as far as it is used, the layout of a language (ABI 14, which every
// generated grammar fixes), and the layout of a subtree as the pinned library has it. The declarations are ours; a test
// compares what is read through them with what the library's own cursor says, node by node, in every language.
#ifndef OPENRABBIT_TREESITTER_H
#define OPENRABBIT_TREESITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct TSParser TSParser;
typedef struct { uint32_t row, column; } TSPoint;
typedef struct { uint32_t bytes; TSPoint extent; } Length;
typedef struct { uint16_t field; uint8_t child; bool inherited; } FieldMapEntry;
typedef struct { uint16_t index, length; } FieldMapSlice;
typedef struct { bool visible, named, supertype; } SymbolMetadata;

typedef struct TSLanguage {
  uint32_t version, symbol_count, alias_count, token_count, external_token_count;
  uint32_t state_count, large_state_count, production_id_count, field_count;
  uint16_t max_alias_sequence_length;
  const uint16_t *parse_table, *small_parse_table;
  const uint32_t *small_parse_table_map;
  const void *parse_actions;
  const char *const *symbol_names;
  const char *const *field_names;
  const FieldMapSlice *field_map_slices;
  const FieldMapEntry *field_map_entries;
  const SymbolMetadata *symbol_metadata;
  const uint16_t *public_symbol_map;
  const uint16_t *alias_map;
  const uint16_t *alias_sequences;
} TSLanguage;

#define SYMBOL_ERROR 0xFFFFu

typedef struct {
  bool is_inline : 1;
  bool visible : 1, named : 1, extra : 1, has_changes : 1, is_missing : 1, is_keyword : 1;
  uint8_t symbol;
  uint16_t parse_state;
  uint8_t padding_columns;
  uint8_t padding_rows : 4, lookahead_bytes : 4;
  uint8_t padding_bytes;
  uint8_t size_bytes;
} InlineSubtree;

typedef struct {
  volatile uint32_t ref_count;
  Length padding, size;
  uint32_t lookahead_bytes, error_cost, child_count;
  uint16_t symbol, parse_state;
  bool visible : 1, named : 1, extra : 1, fragile_left : 1, fragile_right : 1, has_changes : 1;
  bool has_external_tokens : 1, has_external_scanner_state_change : 1, depends_on_column : 1;
  bool is_missing : 1, is_keyword : 1;
  union {
    struct {
      uint32_t visible_child_count, named_child_count, visible_descendant_count;
      int32_t dynamic_precedence;
      uint16_t repeat_depth, production_id;
    };
    struct { char *long_data; char more[16]; uint32_t length; } external_scanner_state;
  };
} HeapSubtree;

typedef union { InlineSubtree data; const HeapSubtree *ptr; } Subtree;

typedef struct TSTree { Subtree root; const TSLanguage *language; } TSTree;

TSParser *ts_parser_new(void);
void ts_parser_delete(TSParser *);
bool ts_parser_set_language(TSParser *, const TSLanguage *);
void ts_parser_set_timeout_micros(TSParser *, uint64_t);
TSTree *ts_parser_parse_string(TSParser *, const TSTree *, const char *, uint32_t);
void ts_set_allocator(void *(*)(size_t), void *(*)(size_t, size_t), void *(*)(void *, size_t), void (*)(void *));

#endif
