// Package telemetry gives every service the same logs, metrics and admin endpoints.
//
// It promises that what looks like a credential does not reach a log: the last step before the writer masks GitHub
// tokens, model keys, private keys, signed tokens and passwords in URLs, wherever in a record they stand. That is a net
// below the rule that secrets are config.Secret, not a replacement of it.
package telemetry

import (
	"io"
	"log/slog"
	"regexp"
	"strings"
)

const masked = "[redacted]"

// NewLogger gives a logger that writes to w in format "json", or else as text, from this level up.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var out io.Writer = &redactor{w: w}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// ParseLevel reads debug, info, warn or error, in any case; anything else is info.
func ParseLevel(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// redactor masks credentials in each line. slog's handlers write one whole record at a time, so a credential is never
// cut in two, and what a handler made of an error, a struct or a group is seen as it would be written.
type redactor struct{ w io.Writer }

func (r *redactor) Write(line []byte) (int, error) {
	if _, err := io.WriteString(r.w, Redact(string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}

// start is where a word may start in text and in text with escapes (\n, \t, \r).
const start = `(^|[^A-Za-z0-9_-]|\\[nrt])`

// keyText is what a key in PEM is made of, in text and in text with escapes.
const keyText = `(?:[A-Za-z0-9+/=\s:,-]|\\[nrt])`

// secretShapes says what a credential looks like. hint is a part of every match, looked for first because most lines
// have none.
func secretShapes() []secretShape {
	return []secretShape{
		{"gh", regexp.MustCompile(`gh[pousr]_[A-Za-z0-9_]{16,}(?:\.[A-Za-z0-9_-]+)*`), masked},
		{"github_pat_", regexp.MustCompile(`github_pat_[A-Za-z0-9_]{16,}`), masked},
		{"sk-", regexp.MustCompile(start + `sk-[A-Za-z0-9_-]{16,}`), "${1}" + masked},
		{"eyJ", regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`), masked},
		{"PRIVATE KEY", regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----(?:` + keyText + `*?-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----|` + keyText + `*)`), masked},
		{"://", regexp.MustCompile(`://[^/\s:@"']*:[^/\s@"']+@`), "://" + masked + "@"},
		{"earer ", regexp.MustCompile(`([Bb]earer )[A-Za-z0-9._~+/=-]{16,}`), "${1}" + masked},
	}
}

type secretShape struct {
	hint    string
	pattern *regexp.Regexp
	with    string
}

// shapes is compiled once and never changed.
var shapes = secretShapes()

// Redact masks everything in the text that looks like a credential.
func Redact(text string) string {
	for _, shape := range shapes {
		if strings.Contains(text, shape.hint) {
			text = shape.pattern.ReplaceAllString(text, shape.with)
		}
	}
	return text
}
