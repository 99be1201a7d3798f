//go:build !cgo

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// parserChild does nothing: this program was built without the parser.
func parserChild() {}

// parserProgram gives the parsersvc binary beside this one, or in PATH.
func parserProgram() (path string, args []string, err error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "parsersvc")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil, nil
		}
	}
	if path, err := exec.LookPath("parsersvc"); err == nil {
		return path, nil, nil
	}
	return "", nil, errors.New("no parser: this openrabbit was built without cgo and no parsersvc binary lies beside it (CGO_ENABLED=1 go build ./cmd/parsersvc)")
}

func parser(context.Context, []string) error {
	return errors.New("this openrabbit was built without cgo: run the parsersvc binary")
}
