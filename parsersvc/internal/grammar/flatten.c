// A tree as an array. The library's cursor gives each node with three or four calls and computes its rows and columns;
// here the visible nodes are written down in one pass, with their fields, and lines are left to whoever needs them.
#include <stdlib.h>

#include "grammar.h"

static inline uint32_t error_cost(Subtree s) {
  if (s.data.is_inline) return s.data.is_missing;
  return s.ptr->is_missing || s.ptr->error_cost > 0;
}

static bool grow(void **p, size_t *capacity, size_t need, size_t size) {
  if (need <= *capacity) return true;
  size_t n = *capacity ? *capacity : 1024;
  while (n < need) n *= 2;
  void *q = realloc(*p, n * size);
  if (!q) return false;
  *p = q;
  *capacity = n;
  return true;
}

static inline or_node *add(or_work *w) {
  if (w->node_count == w->node_capacity && !grow((void **)&w->nodes, &w->node_capacity, (size_t)w->node_count + 1, sizeof(or_node))) return NULL;
  return &w->nodes[w->node_count++];
}

static inline or_frame open_frame(const TSLanguage *l, const HeapSubtree *t, uint32_t byte, uint32_t visible, uint16_t field, bool shown) {
  or_frame f = {.tree = t, .byte = byte, .visible = visible, .field = field, .shown = shown};
  if (t->production_id && l->max_alias_sequence_length) f.aliases = l->alias_sequences + (size_t)t->production_id * l->max_alias_sequence_length;
  if (l->field_count) {
    FieldMapSlice slice = l->field_map_slices[t->production_id];
    f.fields = l->field_map_entries + slice.index;
    f.field_count = slice.length;
  }
  return f;
}

static inline void describe(or_node *n, Subtree s, const TSLanguage *l, uint16_t alias, uint32_t start, uint32_t size, uint32_t parent, uint16_t field) {
  bool in = s.data.is_inline;
  uint16_t symbol = alias ? alias : in ? s.data.symbol : s.ptr->symbol;
  uint16_t flags = 0;
  if (symbol == SYMBOL_ERROR) {
    flags = NODE_ERROR | NODE_NAMED;
  } else {
    if (alias ? l->symbol_metadata[alias].named : in ? s.data.named : s.ptr->named) flags = NODE_NAMED;
    symbol = l->public_symbol_map[symbol];
  }
  if (in ? s.data.extra : s.ptr->extra) flags |= NODE_EXTRA;
  if (in ? s.data.is_missing : s.ptr->is_missing) flags |= NODE_MISSING;
  if (error_cost(s)) flags |= NODE_HAS_ERROR;
  *n = (or_node){.start = start, .end = start + size, .parent = parent, .symbol = symbol, .field = field, .flags = flags};
}

// or_flatten writes the visible nodes of a tree into work. It gives false when there is no memory for them.
bool or_flatten(or_work *w, const TSTree *tree) {
  const TSLanguage *l = tree->language;
  Subtree root = tree->root;
  w->node_count = 0;
  or_node *n = add(w);
  if (!n) return false;
  bool in = root.data.is_inline;
  uint32_t padding = in ? root.data.padding_bytes : root.ptr->padding.bytes;
  uint32_t size = in ? root.data.size_bytes : root.ptr->size.bytes;
  describe(n, root, l, 0, padding, size, 0, 0);
  n->next = 1;
  if (in || root.ptr->child_count == 0) return true;
  if (!grow((void **)&w->stack, &w->stack_capacity, 1, sizeof(or_frame))) return false;
  or_frame *stack = w->stack;
  size_t depth = 1;
  stack[0] = open_frame(l, root.ptr, padding, 0, 0, true);
  // The first child's padding is the parent's, and already passed.
  while (depth) {
    or_frame *f = &stack[depth - 1];
    if (f->child == f->tree->child_count) {
      if (f->shown) w->nodes[f->visible].next = w->node_count;
      depth--;
      continue;
    }
    const Subtree *children = (const Subtree *)f->tree - f->tree->child_count;
    Subtree s = children[f->child];
    bool s_in = s.data.is_inline;
    bool extra = s_in ? s.data.extra : s.ptr->extra;
    bool visible = s_in ? s.data.visible : s.ptr->visible;
    uint32_t bytes = s_in ? s.data.size_bytes : s.ptr->size.bytes;
    uint32_t start = f->byte;
    if (f->child) start += s_in ? s.data.padding_bytes : s.ptr->padding.bytes;
    f->byte = start + bytes;
    f->child++;
    uint16_t alias = 0, field = 0;
    if (!extra) {
      uint32_t number = f->structural++;
      if (f->aliases) alias = f->aliases[number];
      field = f->field;
      for (uint32_t i = 0; i < f->field_count; i++) {
        if (f->fields[i].child == number && !f->fields[i].inherited) {
          field = f->fields[i].field;
          break;
        }
      }
    }
    visible |= alias != 0;
    bool inner = !s_in && s.ptr->child_count > 0;
    if (!visible && (!inner || s.ptr->visible_child_count == 0)) continue;
    uint32_t owner = f->visible;
    if (visible) {
      owner = w->node_count;
      or_node *node = add(w);
      if (!node) return false;
      describe(node, s, l, alias, start, bytes, f->visible, field);
      node->next = w->node_count;
    }
    if (!inner) continue;
    if (depth == w->stack_capacity) {
      if (!grow((void **)&w->stack, &w->stack_capacity, depth + 1, sizeof(or_frame))) return false;
      stack = w->stack;
    }
    stack[depth++] = open_frame(l, s.ptr, start, owner, visible ? 0 : field, visible);
  }
  return true;
}
