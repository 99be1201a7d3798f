// Command openrabbit runs the whole of OpenRabbit on one machine (up), shows it on a shipped pull request (demo), reviews a
// change without GitHub (review), measures reviews (eval), and has the tools of an installation (migrate, riverui, healthcheck).
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

// process is what a command is given by whoever starts it.
type process struct {
	env map[string]string
	// dir is where it works, "" for the current directory.
	dir    string
	stdin  io.Reader
	stdout io.Writer
	// stderr is written to from many places at once.
	stderr io.Writer
}

// command is one of openrabbit's.
type command struct {
	name, summary string
	hidden        bool
	run           func(ctx context.Context, p process, args []string) error
}

func commands() []command {
	return []command{
		{name: "up", summary: "run everything on this machine", run: plain(up)},
		{name: "demo", summary: "review the shipped pull request end to end, without GitHub and without keys", run: plain(runDemo)},
		{name: "review", summary: "review a local change, a diff or a pull request, and print it", run: runReview},
		{name: "eval", summary: "review a folder of pull requests and measure the reviews", run: runEval},
		{name: "migrate", summary: "bring the database at DATABASE_URL up to date", run: plain(migrate)},
		{name: "riverui", summary: "serve River UI for the database at DATABASE_URL", run: serveRiverUI},
		{name: "healthcheck", summary: "ask a running service whether it is ready", run: plain(healthcheck)},
		{name: "parsersvc", hidden: true, run: plain(parser)},
	}
}

// plain is a command that uses this process's own environment, input and output.
func plain(run func(context.Context, []string) error) func(context.Context, process, []string) error {
	return func(ctx context.Context, _ process, args []string) error { return run(ctx, args) }
}

// usageError is a wrong call. It ends with exit code 2.
type usageError struct{ text string }

func (u usageError) Error() string { return u.text }

// errInterrupted ends a command that a signal stopped before it was done.
var errInterrupted = errors.New("interrupted")

// exitInterrupted is what shells use for the end by Ctrl-C.
const exitInterrupted = 130

func main() {
	parserChild()
	interrupted := false
	code := lifecycle.Main(func(ctx context.Context) error {
		err := dispatch(ctx, os.Args[1:], process{env: environment(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr})
		interrupted = errors.Is(err, errInterrupted)
		return err
	})
	if interrupted {
		code = exitInterrupted
	}
	os.Exit(code)
}

// dispatch runs the command that the first argument names. A wrong call is a *config.Error.
func dispatch(ctx context.Context, args []string, p process) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return help(p.stdout)
	}
	err := error(usageError{fmt.Sprintf("openrabbit: no command %q; see openrabbit help", args[0])})
	for _, c := range commands() {
		if c.name == args[0] {
			err = c.run(ctx, p, args[1:])
		}
	}
	var asked helpAsked
	if errors.As(err, &asked) {
		asked.flags.SetOutput(p.stdout)
		asked.flags.Usage()
		return nil
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		return &config.Error{Problems: []string{wrong.text}}
	}
	return err
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
		"2 wrong usage or configuration, 3 something it depends on failed (what could be reviewed is printed), 130 interrupted.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// helpAsked ends a command whose --help was asked for.
type helpAsked struct{ flags *flag.FlagSet }

func (helpAsked) Error() string { return flag.ErrHelp.Error() }

// parse reads a command's flags, which may stand before and after words. Words that are no flags are given back if the
// command takes any.
func parse(flags *flag.FlagSet, args []string, maxWords int) (words []string, err error) {
	flags.SetOutput(io.Discard) // the error says it
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, helpAsked{flags}
		} else if err != nil {
			return nil, usageError{fmt.Sprintf("openrabbit %s: %v; see openrabbit %s --help", flags.Name(), err, flags.Name())}
		}
		if flags.NArg() == 0 {
			return words, nil
		}
		if len(words) == maxWords {
			return nil, usageError{fmt.Sprintf("openrabbit %s: what is %q? see openrabbit %s --help", flags.Name(), flags.Arg(0), flags.Name())}
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
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
