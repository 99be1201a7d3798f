// Memory for one parse. Tree-sitter allocates a block for each node and frees them one by one; here they come from an
// arena that is taken back whole when the file is done, which is faster than the parse that has to be paid for malloc.
// Outside of a run, and on every other thread, the library gets malloc as before.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "grammar.h"

#define FIRST_CHUNK ((size_t)16 << 20)
#define RESIDENT ((size_t)8 << 20)  // what is kept in memory between files
#define SMALL_CLASSES 64            // of 16 bytes each
#define LARGE_CLASSES 40            // powers of two
#define HEAD 8                      // a block's class, before it

typedef struct chunk { struct chunk *before; size_t size; } chunk;
typedef struct free_block { struct free_block *next; } free_block;

typedef struct {
  chunk *current;
  char *at, *end;
  free_block *small[SMALL_CLASSES + 1];
  free_block *large[LARGE_CLASSES];
} arena;

static _Thread_local arena *entered;

// One arena is kept for the next run; a process that parses one file at a time needs no more.
static arena *spare;

static void fail(size_t size) {
  fprintf(stderr, "tree-sitter failed to allocate %zu bytes", size);
  abort();
}

static chunk *new_chunk(size_t size) {
  void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) fail(size);
  chunk *c = m;
  c->size = size;
  return c;
}

static void begin(arena *a, chunk *c) {
  c->before = a->current;
  a->current = c;
  // A block's memory begins 8 bytes after a multiple of 16, so that what follows its head is one.
  a->at = (char *)c + ((sizeof(chunk) + 15) & ~(size_t)15) + 8;
  a->end = (char *)c + c->size;
}

// class_of gives a block's whole size, its head included, and where it is listed when it is free.
static inline uint32_t class_of(size_t size, size_t *block) {
  size_t units = (size + HEAD + 15) >> 4;
  if (units <= SMALL_CLASSES) {
    *block = units << 4;
    return (uint32_t)units;
  }
  unsigned power = 64 - (unsigned)__builtin_clzll((unsigned long long)(size + HEAD - 1));
  if (power >= LARGE_CLASSES) fail(size);
  *block = (size_t)1 << power;
  return SMALL_CLASSES + 1 + power;
}

static inline size_t room_of(uint32_t class) {
  return (class <= SMALL_CLASSES ? (size_t)class << 4 : (size_t)1 << (class - SMALL_CLASSES - 1)) - HEAD;
}

static inline uint32_t *head_of(void *p) { return (uint32_t *)((char *)p - HEAD); }

static void *take(arena *a, size_t size) {
  size_t block;
  uint32_t class = class_of(size, &block);
  free_block **list = class <= SMALL_CLASSES ? &a->small[class] : &a->large[class - SMALL_CLASSES - 1];
  if (*list) {
    void *p = *list;
    *list = (*list)->next;
    return p;
  }
  if (block > (size_t)(a->end - a->at)) {
    size_t need = block + sizeof(chunk) + 64;
    begin(a, new_chunk(need > FIRST_CHUNK ? (need + 4095) & ~(size_t)4095 : FIRST_CHUNK));
  }
  char *p = a->at + HEAD;
  a->at += block;
  *head_of(p) = class;
  return p;
}

static void *arena_malloc(size_t size) {
  if (entered) return take(entered, size);
  void *p = malloc(size);
  if (!p && size) fail(size);
  return p;
}

static void *arena_calloc(size_t count, size_t size) {
  if (!entered) {
    void *p = calloc(count, size);
    if (!p && count && size) fail(size);
    return p;
  }
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) fail(size);
  return memset(take(entered, total), 0, total);
}

static void arena_free(void *p) {
  if (!p) return;
  arena *a = entered;
  if (!a) {
    free(p);
    return;
  }
  uint32_t class = *head_of(p);
  free_block **list = class <= SMALL_CLASSES ? &a->small[class] : &a->large[class - SMALL_CLASSES - 1];
  ((free_block *)p)->next = *list;
  *list = p;
}

static void *arena_realloc(void *p, size_t size) {
  if (!entered) {
    void *q = realloc(p, size);
    if (!q && size) fail(size);
    return q;
  }
  if (!p) return take(entered, size);
  size_t room = room_of(*head_of(p));
  if (size <= room) return p;
  void *q = take(entered, size);
  memcpy(q, p, room);
  arena_free(p);
  return q;
}

void or_arena_install(void) { ts_set_allocator(arena_malloc, arena_calloc, arena_realloc, arena_free); }

// or_arena_enter makes what tree-sitter allocates on this thread come from an arena.
void or_arena_enter(void) {
  arena *a = __atomic_exchange_n(&spare, NULL, __ATOMIC_ACQ_REL);
  if (!a) {
    a = calloc(1, sizeof(arena));
    if (!a) fail(sizeof(arena));
    begin(a, new_chunk(FIRST_CHUNK));
  }
  entered = a;
}

static void destroy(arena *a) {
  for (chunk *c = a->current; c;) {
    chunk *before = c->before;
    munmap(c, c->size);
    c = before;
  }
  free(a);
}

// or_arena_leave takes everything back that was allocated since or_arena_enter.
void or_arena_leave(void) {
  arena *a = entered;
  entered = NULL;
  chunk *c = a->current;
  char *used = a->at;
  while (c->before) {
    chunk *before = c->before;
    munmap(c, c->size);
    c = before;
    used = (char *)c + c->size;
  }
  if ((size_t)(used - (char *)c) > RESIDENT) madvise((char *)c + RESIDENT, c->size - RESIDENT, MADV_DONTNEED);
  a->current = NULL;
  begin(a, c);
  memset(a->small, 0, sizeof a->small);
  memset(a->large, 0, sizeof a->large);
  arena *none = NULL;
  if (!__atomic_compare_exchange_n(&spare, &none, a, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) destroy(a);
}
