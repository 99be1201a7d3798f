// Command openrabbit runs the whole of OpenRabbit on one machine (up), shows it on a shipped pull request (demo), reviews a
// change without GitHub (review), and has the tools of an installation (migrate, riverui, healthcheck).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
)

// command is one of openrabbit's.
type command struct {
	name, summary string
	hidden        bool
	run           func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{name: "up", summary: "run everything on this machine", run: up},
		{name: "demo", summary: "review the shipped pull request end to end, without GitHub and without keys", run: runDemo},
		{name: "review", summary: "review a local change, a diff or a pull request, and print it", run: runReview},
		{name: "migrate", summary: "bring the database at DATABASE_URL up to date", run: migrate},
		{name: "riverui", summary: "serve River UI for the database at DATABASE_URL", run: serveRiverUI},
		{name: "healthcheck", summary: "ask a running service whether it is ready", run: healthcheck},
		{name: "parsersvc", hidden: true, run: parser},
	}
}

// usageError is a wrong call. It ends with exit code 2.
type usageError struct{ text string }

func (u usageError) Error() string { return u.text }

func main() {
	parserChild()
	os.Exit(lifecycle.Main(func(ctx context.Context) error {
		err := dispatch(ctx, os.Args[1:], os.Stdout)
		var wrong usageError
		if errors.As(err, &wrong) {
			return &config.Error{Problems: []string{wrong.text}}
		}
		return err
	}))
}

func dispatch(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return help(stdout)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			err := c.run(ctx, args[1:])
			if errors.Is(err, flag.ErrHelp) {
				return nil
			}
			return err
		}
	}
	return usageError{fmt.Sprintf("openrabbit: no command %q; see openrabbit help", args[0])}
}

func help(w io.Writer) error {
	var b strings.Builder
	b.WriteString("openrabbit reviews pull requests on your own machines.\n\nusage: openrabbit <command> [flags]\n\n")
	for _, c := range commands() {
		if !c.hidden {
			fmt.Fprintf(&b, "  %-12s %s\n", c.name, c.summary)
		}
	}
	b.WriteString("\nopenrabbit <command> --help tells a command's flags. Exit codes: 0 done, 1 findings at or above --fail-on,\n" +
		"2 wrong usage or configuration, 3 something it depends on failed.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// parse reads a command's flags. Words that are no flags are given back if the command takes any.
func parse(flags *flag.FlagSet, args []string, maxWords int) ([]string, error) {
	flags.SetOutput(os.Stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{fmt.Sprintf("openrabbit %s: %v", flags.Name(), err)}
	}
	if flags.NArg() > maxWords {
		return nil, usageError{fmt.Sprintf("openrabbit %s: what is %q? see openrabbit %s --help", flags.Name(), flags.Arg(maxWords), flags.Name())}
	}
	return flags.Args(), nil
}

// newFlags gives a command's flag set, whose help begins with what the command does.
func newFlags(name, about string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "%s\n\nflags of openrabbit %s:\n", about, name)
		flags.PrintDefaults()
	}
	return flags
}
