//go:build linux && cgo

package main

/*
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// The library's API, as far as a parse takes it.
typedef struct TSParser TSParser;
typedef struct TSTree TSTree;
TSParser *ts_parser_new(void);
void ts_parser_delete(TSParser *);
bool ts_parser_set_language(TSParser *, const void *);
TSTree *ts_parser_parse_string(TSParser *, const TSTree *, const char *, uint32_t);
void ts_tree_delete(TSTree *);

// The processor's time of this thread, which others on the machine have no part in.
static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

// The bare parse: one parser for all files of a language, each file parsed and its tree thrown away.
static int64_t bare(const void *language, char **texts, uint32_t *sizes, int n) {
  TSParser *parser = ts_parser_new();
  if (!ts_parser_set_language(parser, language)) return -1;
  int64_t begun = now();
  for (int i = 0; i < n; i++) {
    TSTree *tree = ts_parser_parse_string(parser, NULL, texts[i], sizes[i]);
    if (!tree) return -1;
    ts_tree_delete(tree);
  }
  int64_t took = now() - begun;
  ts_parser_delete(parser);
  return took;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
)

// bareParse gives how much of a processor's time the grammar takes for files in C, and nothing else. It is to run in a process that has parsed
// nothing else: ours gives the library another allocator.
func bareParse(language string, files []file) (time.Duration, error) {
	grammar := analysis.Grammar(language)
	if grammar == nil {
		return 0, fmt.Errorf("no grammar for %s", language)
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	texts := make([]*C.char, len(files))
	sizes := make([]C.uint32_t, len(files))
	for i, f := range files {
		p := unsafe.SliceData(f.content)
		pins.Pin(p)
		texts[i], sizes[i] = (*C.char)(unsafe.Pointer(p)), C.uint32_t(len(f.content))
	}
	took := C.bare(grammar, unsafe.SliceData(texts), unsafe.SliceData(sizes), C.int(len(files)))
	if took < 0 {
		return 0, errors.New("the bare parse failed")
	}
	return time.Duration(took), nil
}
