#include <pthread.h>
#include <stdlib.h>

#include "grammar.h"

static pthread_once_t installed = PTHREAD_ONCE_INIT;

int or_run(or_work *w, const TSLanguage *language, const char *text, uint32_t length, uint64_t micros, uint32_t max_matches,
           const or_query *first, const or_query *second) {
  pthread_once(&installed, or_arena_install);
  const or_query *queries[MAX_QUERIES] = {first, second};
  w->node_count = 0;
  w->whole = true;
  for (int i = 0; i < MAX_QUERIES; i++) w->found[i].length = w->found[i].matches = 0;
  or_arena_enter();
  // A parser that was stopped once goes on with the old text, so each file has a new one.
  TSParser *parser = ts_parser_new();
  TSTree *tree = NULL;
  int status = RUN_LANGUAGE;
  if (ts_parser_set_language(parser, language)) {
    ts_parser_set_timeout_micros(parser, micros);
    tree = ts_parser_parse_string(parser, NULL, text, length);
    status = RUN_TIMEOUT;
  }
  if (tree) status = or_flatten(w, tree) ? RUN_OK : RUN_MEMORY;
  // The parser has things of its scanner that are not the arena's; the tree has none.
  ts_parser_delete(parser);
  or_arena_leave();
  for (int i = 0; i < MAX_QUERIES && status == RUN_OK; i++)
    if (queries[i] && !or_match(w, &w->found[i], queries[i], max_matches)) status = RUN_MEMORY;
  return status;
}

static void trim(void **p, size_t *capacity, size_t size, size_t keep) {
  if (*capacity * size <= keep) return;
  free(*p);
  *p = NULL;
  *capacity = 0;
}

void or_trim(or_work *w, size_t keep) {
  trim((void **)&w->nodes, &w->node_capacity, sizeof(or_node), keep);
  trim((void **)&w->stack, &w->stack_capacity, sizeof(or_frame), keep);
  for (int i = 0; i < MAX_QUERIES; i++) trim((void **)&w->found[i].words, &w->found[i].capacity, sizeof(uint32_t), keep);
}

void or_free(or_work *w) {
  or_trim(w, 0);
  free(w);
}
