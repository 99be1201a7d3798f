//go:build cgo

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/parsersvc"
)

// parserChild makes this process one of parsersvc's parsing children if that is what it was started as.
func parserChild() { parsersvc.MaybeChild() }

// parserProgram gives the program that runs parsersvc as a child: this one.
func parserProgram() (path string, args []string, err error) {
	path, err = os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("find this program: %w", err)
	}
	return path, []string{"parsersvc"}, nil
}

// parser runs parsersvc in this process, as a child of `openrabbit`: until a signal, or until standard input ends because
// the parent did, however it did.
func parser(ctx context.Context, _ []string) error {
	env := config.FromOS()
	cfg := parsersvc.ConfigFromEnv(env)
	log, registry := telemetry.FromEnv(env, "parsersvc", os.Stderr)
	if err := env.Err(); err != nil {
		return err
	}
	service, err := parsersvc.New(parsersvc.OwnProcess(cfg), parsersvc.Deps{Log: log, Registry: registry})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that is waited for
		cancel()
	}()
	return service.Run(ctx, func() {})
}
