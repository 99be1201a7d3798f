// Queries over the array of a tree's nodes. A pattern is tried where its first node stands, and only there: the roots
// are listed by symbol. Every way to place a pattern's captured nodes is a match, as in tree-sitter's own queries, but
// nothing is kept between nodes, so that the cost is that of the comparisons.
#include <stdlib.h>
#include <string.h>

#include "grammar.h"

typedef struct { uint32_t id, node; } capture;

enum { FRAME_CHILD, FRAME_SPLICE, FRAME_AGAIN };

// What follows after a list of steps has been placed.
typedef struct frame {
  int kind;
  int32_t rest;       // the next step after it; of a repetition, the step that repeats
  uint32_t at, end;   // where its siblings go on, and where they end
  bool last;          // nothing named may follow
  const struct frame *up;
} frame;

#define MAX_CAPTURES 256
#define MAX_DEPTH 1000

typedef struct {
  const or_node *nodes;
  const or_query *query;
  or_matches *out;
  uint16_t pattern;
  uint32_t max_matches;
  uint32_t depth;
  uint64_t budget;
  bool stop, memory;
  uint32_t count;
  capture captures[MAX_CAPTURES];
} state;

static bool place(state *s, int32_t step, uint32_t at, uint32_t end, const frame *k);

static bool emit(state *s) {
  or_matches *m = s->out;
  if (s->count == 0) return true;
  if (m->matches == s->max_matches) {
    s->stop = true;
    return true;
  }
  size_t need = m->length + 1 + 3 * (size_t)s->count;
  if (need > m->capacity) {
    size_t n = m->capacity ? m->capacity : 4096;
    while (n < need) n *= 2;
    uint32_t *words = realloc(m->words, n * sizeof *words);
    if (!words) {
      s->stop = s->memory = true;
      return true;
    }
    m->words = words;
    m->capacity = n;
  }
  uint32_t *word = m->words + m->length;
  *word++ = (uint32_t)s->pattern << 16 | s->count;
  for (uint32_t i = 0; i < s->count; i++) {
    const or_node *n = &s->nodes[s->captures[i].node];
    uint32_t children = 0;
    if (s->query->counted[s->captures[i].id]) {
      for (uint32_t c = s->captures[i].node + 1; c < n->next; c = s->nodes[c].next)
        children += (s->nodes[c].flags & (NODE_NAMED | NODE_EXTRA)) == NODE_NAMED;
      if (children > 0xFFFF) children = 0xFFFF;
    }
    *word++ = s->captures[i].id | children << 16;
    *word++ = n->start;
    *word++ = n->end;
  }
  m->length = need;
  m->matches++;
  return true;
}

static bool fits(const state *s, const or_step *step, uint32_t at) {
  const or_node *n = &s->nodes[at];
  switch (step->symbol) {
    case STEP_ANY:
      if (n->flags & NODE_ERROR) return false;
      break;
    case STEP_ANY_NAMED:
      if ((n->flags & (NODE_ERROR | NODE_NAMED)) != NODE_NAMED) return false;
      break;
    default:
      if (n->symbol != step->symbol) return false;
  }
  if (step->field && step->field != n->field) return false;
  if (step->flags & STEP_MISSING && !(n->flags & NODE_MISSING)) return false;
  if (step->list_length) {
    for (uint32_t c = at + 1; c < n->next; c = s->nodes[c].next)
      for (uint32_t i = 0; i < step->list_length; i++)
        if (s->nodes[c].field == s->query->lists[step->list + i]) return false;
  }
  return true;
}

// finish goes on after the last step of a list.
static bool finish(state *s, uint32_t at, uint32_t end, const frame *k) {
  if (!k) return emit(s);
  switch (k->kind) {
    case FRAME_SPLICE:
      return place(s, k->rest, at, end, k->up);
    case FRAME_AGAIN:
      return place(s, k->rest, at, end, k);
    default:
      if (k->last)
        for (uint32_t c = at; c < end; c = s->nodes[c].next)
          if (s->nodes[c].flags & NODE_NAMED) return false;
      return place(s, k->rest, k->at, k->end, k->up);
  }
}

// here places a step at a node that it fits, and then what follows it.
static bool here(state *s, const or_step *step, uint32_t c, int32_t rest, uint32_t end, const frame *k) {
  uint32_t count = s->count;
  for (uint32_t i = 0; i < step->capture_count; i++) {
    if (s->count == MAX_CAPTURES) {
      s->out->whole = false;
      break;
    }
    s->captures[s->count++] = (capture){step->captures[i], c};
  }
  uint32_t next = s->nodes[c].next;
  bool found;
  if (step->child >= 0) {
    frame f = {FRAME_CHILD, rest, next, end, (step->flags & STEP_LAST) != 0, k};
    found = place(s, step->child, c + 1, next, &f);
  } else {
    found = rest < 0 ? finish(s, next, end, k) : place(s, rest, next, end, k);
  }
  s->count = count;
  return found;
}

// one places a step once, in every way, and then what follows it.
static bool one(state *s, const or_step *step, int32_t rest, uint32_t at, uint32_t end, const frame *k, bool only_first) {
  if (step->flags & STEP_CHOICE) {
    frame f = {.kind = FRAME_SPLICE, .rest = rest, .up = k};
    bool found = false;
    for (uint32_t i = 0; i < step->list_length && !s->stop; i++) {
      found |= place(s, (int32_t)s->query->lists[step->list + i], at, end, &f);
      if (found && only_first) break;
    }
    return found;
  }
  // Where nothing in the step is captured, a later place gives nothing that the first does not.
  if (!(step->flags & STEP_CAPTURES) && (rest < 0 || !(s->query->steps[rest].flags & STEP_IMMEDIATE)) && !(k && k->last)) only_first = true;
  bool found = false;
  for (uint32_t c = at; c < end && !s->stop; c = s->nodes[c].next) {
    if (s->budget-- == 0) {
      s->stop = true;
      break;
    }
    if (fits(s, step, c)) {
      found |= here(s, step, c, rest, end, k);
      if (found && only_first) break;
    }
    if (step->flags & STEP_IMMEDIATE && s->nodes[c].flags & NODE_NAMED) break;
  }
  return found;
}

// place places a list of steps among the siblings from at to end, in every way, and then what follows the list. It says
// whether there was one.
static bool place(state *s, int32_t index, uint32_t at, uint32_t end, const frame *k) {
  if (index < 0) return finish(s, at, end, k);
  if (s->depth == MAX_DEPTH) {
    s->out->whole = false;
    return false;
  }
  s->depth++;
  const or_step *step = &s->query->steps[index];
  bool found = false;
  if (k && k->kind == FRAME_AGAIN && k->rest == index) {
    // A repetition, after one: as many as there are.
    found = one(s, step, -1, at, end, k, true) || place(s, step->next, at, end, k->up);
  } else {
    switch (step->quantifier) {
      case QUANTIFIER_ONE:
        found = one(s, step, step->next, at, end, k, false);
        break;
      case QUANTIFIER_OPTIONAL:
        found = one(s, step, step->next, at, end, k, false);
        found |= place(s, step->next, at, end, k);
        break;
      default: {
        frame again = {.kind = FRAME_AGAIN, .rest = index, .up = k};
        found = one(s, step, -1, at, end, &again, true);
        if (!found && step->quantifier == QUANTIFIER_STAR) found = place(s, step->next, at, end, k);
      }
    }
  }
  s->depth--;
  return found;
}

// contains says whether a match has all captures of another.
static bool contains(const uint32_t *all, const uint32_t *some) {
  uint32_t n = *all & 0xFFFF, m = *some & 0xFFFF, i = 0;
  for (uint32_t j = 0; j < m; j++, i++) {
    while (i < n && memcmp(all + 1 + 3 * i, some + 1 + 3 * j, 3 * sizeof *all) != 0) i++;
    if (i == n) return false;
  }
  return true;
}

// reduce drops the matches since from, few of one pattern at one node, that leave out something optional which another
// of them has, and those that are the same.
static void reduce(or_matches *m, size_t from, uint32_t matches) {
  enum { FEW = 64 };
  uint32_t n = m->matches - matches;
  if (n < 2 || n > FEW) return;
  size_t starts[FEW + 1];
  bool drop[FEW] = {false};
  size_t at = from;
  for (uint32_t i = 0; i < n; i++) {
    starts[i] = at;
    at += 1 + 3 * (size_t)(m->words[at] & 0xFFFF);
  }
  starts[n] = at;
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t j = 0; j < n && !drop[i]; j++)
      if (i != j && !drop[j] && contains(m->words + starts[j], m->words + starts[i])) drop[i] = true;
  size_t to = from;
  for (uint32_t i = 0; i < n; i++) {
    size_t size = starts[i + 1] - starts[i];
    if (drop[i]) {
      m->matches--;
      continue;
    }
    memmove(m->words + to, m->words + starts[i], size * sizeof *m->words);
    to += size;
  }
  m->length = to;
}

static void try_root(state *s, const or_root *r, uint32_t at) {
  const or_step *step = &s->query->steps[r->step];
  if (!fits(s, step, at)) return;
  const or_node *n = &s->nodes[at];
  uint32_t end = at == 0 ? n->next : s->nodes[n->parent].next;
  size_t length = s->out->length;
  uint32_t matches = s->out->matches;
  s->pattern = r->pattern;
  here(s, step, at, step->next, end, NULL);
  if (r->optional) reduce(s->out, length, matches);
}

// or_match runs one query over the nodes in work. It gives false when there is no memory for what it finds.
bool or_match(or_work *w, or_matches *out, const or_query *q, uint32_t max_matches) {
  out->length = 0;
  out->matches = 0;
  out->whole = w->whole;
  state s = {.nodes = w->nodes, .query = q, .out = out, .max_matches = max_matches,
             // Real code takes less than ten comparisons a node; a file that is made for it could take the square.
             .budget = 5000000 + 100 * (uint64_t)w->node_count};
  for (uint32_t i = 0; i < w->node_count && !s.stop; i++) {
    const or_node *n = &w->nodes[i];
    if (n->symbol < q->symbol_count)
      for (uint32_t r = q->by_symbol[n->symbol]; r < q->by_symbol[n->symbol + 1]; r++) try_root(&s, &q->roots[r], i);
    for (uint32_t r = 0; r < q->any_count; r++) try_root(&s, &q->any[r], i);
  }
  if (s.stop) out->whole = false;
  return !s.memory;
}
