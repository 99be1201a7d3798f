// Package config reads configuration from environment variables.
//
// It promises that a wrong configuration is told whole: reading never fails, it notes a complaint and gives the default,
// and Err gives all complaints at once, one line for each, every line naming the variable. A complaint never holds the
// value of a secret. An empty variable counts as one that is not set.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSecretFile bounds what is read of a secret's file; a private key has about 2 KB.
const maxSecretFile = 1 << 20

// Env is a set of environment variables and the complaints about them. It is for one goroutine, at the start.
type Env struct {
	values   map[string]string
	asked    map[string]bool
	problems []string
}

// Error is a configuration that cannot be used. Its text has one line for each problem.
type Error struct {
	// Problems are whole sentences, each naming its variable, in the order in which they were found.
	Problems []string
}

// Error gives the problems, one a line.
func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// FromOS reads the environment of this process as it is now.
func FromOS() *Env {
	values := make(map[string]string)
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			values[name] = value
		}
	}
	return FromMap(values)
}

// FromMap gives an environment of these variables. The map is not kept.
func FromMap(values map[string]string) *Env {
	e := &Env{values: make(map[string]string, len(values)), asked: make(map[string]bool)}
	for name, value := range values {
		e.values[name] = value
	}
	return e
}

func (e *Env) lookup(name string) (string, bool) {
	e.asked[name] = true
	value := strings.TrimSpace(e.values[name])
	return value, value != ""
}

// Complain notes a problem with a variable. The text says what is wrong with it and does not repeat the name. The same
// complaint is kept once, so services that read the same variable may share an Env.
func (e *Env) Complain(name, format string, args ...any) {
	problem := name + ": " + fmt.Sprintf(format, args...)
	if !slices.Contains(e.problems, problem) {
		e.problems = append(e.problems, problem)
	}
}

// Err gives all complaints as an *Error, or nil.
func (e *Env) Err() error {
	if len(e.problems) == 0 {
		return nil
	}
	return &Error{Problems: slices.Clone(e.problems)}
}

// String reads a text, without white space around it.
func (e *Env) String(name, def string) string {
	if value, ok := e.lookup(name); ok {
		return value
	}
	return def
}

// Require complains when neither NAME nor NAME_FILE is set. why completes "is required".
func (e *Env) Require(name, why string) {
	_, direct := e.lookup(name)
	_, file := e.lookup(name + "_FILE")
	if direct || file {
		return
	}
	if why != "" {
		why = ": " + why
	}
	e.Complain(name, "is required%s", why)
}

// Int reads a whole number from min to max.
func (e *Env) Int(name string, def, min, max int) int {
	return int(e.Int64(name, int64(def), int64(min), int64(max)))
}

// Int64 reads a whole number from min to max.
func (e *Env) Int64(name string, def, min, max int64) int64 {
	text, ok := e.lookup(name)
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		e.Complain(name, "%q is not a whole number", text)
		return def
	case n < min || n > max:
		e.Complain(name, "%d is not from %d to %d", n, min, max)
		return def
	}
	return n
}

// Duration reads a time in Go's form, such as 90s or 3m. It is never negative.
func (e *Env) Duration(name string, def time.Duration) time.Duration {
	text, ok := e.lookup(name)
	if !ok {
		return def
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		e.Complain(name, "%q is not a duration such as 90s or 3m", text)
		return def
	case d < 0:
		e.Complain(name, "%s is negative", d)
		return def
	}
	return d
}

// Bool reads 1, true, yes or on, or 0, false, no or off, in any case.
func (e *Env) Bool(name string, def bool) bool {
	text, ok := e.lookup(name)
	if !ok {
		return def
	}
	switch strings.ToLower(text) {
	case "1", "true", "yes", "on", "t", "y":
		return true
	case "0", "false", "no", "off", "f", "n":
		return false
	}
	e.Complain(name, "%q is neither true nor false", text)
	return def
}

// OneOf reads one of the allowed words, exactly as written there.
func (e *Env) OneOf(name, def string, allowed ...string) string {
	text, ok := e.lookup(name)
	if !ok {
		return def
	}
	if !slices.Contains(allowed, text) {
		e.Complain(name, "%q is not one of %s", text, strings.Join(allowed, ", "))
		return def
	}
	return text
}

// Unread gives the names of the variables that are set, start with prefix and were never asked for, sorted: most likely
// they are misspelt.
func (e *Env) Unread(prefix string) []string {
	var names []string
	for name, value := range e.values {
		if strings.HasPrefix(name, prefix) && !e.asked[name] && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Secret reads NAME, or the file that NAME_FILE names, without one newline at its end. Both set is a complaint.
func (e *Env) Secret(name string) Secret {
	direct, isDirect := e.lookup(name)
	path, isFile := e.lookup(name + "_FILE")
	switch {
	case isDirect && isFile:
		e.Complain(name, "is set, and %s_FILE too: set one of them", name)
		return Secret{}
	case isFile:
		return e.secretFile(name+"_FILE", path)
	case isDirect:
		return NewSecret(direct)
	}
	return Secret{}
}

// Secrets reads a comma-separated list of secrets, in NAME or in the file that NAME_FILE names. Empty parts are left
// out; more than one is for rotation.
func (e *Env) Secrets(name string) []Secret {
	var secrets []Secret
	for part := range strings.SplitSeq(e.Secret(name).Reveal(), ",") {
		if part = strings.TrimSpace(part); part != "" {
			secrets = append(secrets, NewSecret(part))
		}
	}
	return secrets
}

// secretFile reads a secret's file. A path is not repeated in a complaint: people put the secret itself there.
func (e *Env) secretFile(name, path string) Secret {
	text, err := readSecret(path)
	if err != nil {
		e.Complain(name, "the file it names cannot be read: %v", err)
		return Secret{}
	}
	text, _ = strings.CutSuffix(text, "\n")
	text, _ = strings.CutSuffix(text, "\r")
	if text == "" {
		e.Complain(name, "the file it names is empty")
	}
	return NewSecret(text)
}

func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", bare(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return "", bare(err)
	}
	if len(content) > maxSecretFile {
		return "", fmt.Errorf("it is larger than %d bytes", maxSecretFile)
	}
	return string(content), nil
}

// bare takes the path out of a file error.
func bare(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
