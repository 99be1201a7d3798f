package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestValues(t *testing.T) {
	t.Parallel()
	e := FromMap(map[string]string{
		"TEXT": " spaced ", "EMPTY": "  ", "INT": "7", "BIG": "9007199254740993", "WAIT": "1m30s", "YES": "On", "NO": "0",
		"WORD": "json", "ADDRESS": "https://host.example:8443/api/v3/", "LIST": "a, ,b,",
	})
	check := func(name string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	check("TEXT", e.String("TEXT", "x"), "spaced")
	check("EMPTY", e.String("EMPTY", "x"), "x")
	check("INT", e.Int("INT", 1, 0, 10), 7)
	check("INT default", e.Int("NONE", 3, 0, 10), 3)
	check("BIG", e.Int64("BIG", 0, 0, 1<<60), int64(9007199254740993))
	check("WAIT", e.Duration("WAIT", 0), 90*time.Second)
	check("YES", e.Bool("YES", false), true)
	check("NO", e.Bool("NO", true), false)
	check("NONE", e.Bool("NONE", true), true)
	check("WORD", e.OneOf("WORD", "text", "text", "json"), "json")
	check("ADDRESS", e.URL("ADDRESS", ""), "https://host.example:8443/api/v3/")
	check("URL default", e.URL("NONE", "http://a"), "http://a")
	secrets := e.Secrets("LIST")
	if len(secrets) != 2 || secrets[0].Reveal() != "a" || secrets[1].Reveal() != "b" {
		t.Errorf("LIST: %d secrets", len(secrets))
	}
	if got := e.Secrets("NONE"); got != nil {
		t.Errorf("NONE: %d secrets", len(got))
	}
	e.Require("TEXT", "why")
	if err := e.Err(); err != nil {
		t.Error(err)
	}
}

func TestAllComplaintsAtOnce(t *testing.T) {
	t.Parallel()
	e := FromMap(map[string]string{
		"INT": "seven", "RANGE": "11", "HUGE": "99999999999999999999", "WAIT": "90", "NEGATIVE": "-1s", "BOOL": "perhaps", "WORD": "xml",
	})
	if got := e.Int("INT", 1, 0, 10); got != 1 {
		t.Errorf("a wrong value gave %d, want the default", got)
	}
	e.Int("RANGE", 1, 0, 10)
	e.Int("HUGE", 1, 0, 10)
	e.Duration("WAIT", 0)
	e.Duration("NEGATIVE", 0)
	e.Bool("BOOL", false)
	e.OneOf("WORD", "text", "text", "json")
	e.Require("MISSING", "the gateway cannot check deliveries without it")
	e.Require("MISSING", "the gateway cannot check deliveries without it")
	e.Complain("RANGE", "fits nothing: %d", 5)
	want := []string{
		`INT: "seven" is not a whole number`,
		`RANGE: 11 is not from 0 to 10`,
		`HUGE: "99999999999999999999" is not a whole number`,
		`WAIT: "90" is not a duration such as 90s or 3m`,
		`NEGATIVE: -1s is negative`,
		`BOOL: "perhaps" is neither true nor false`,
		`WORD: "xml" is not one of text, json`,
		`MISSING: is required: the gateway cannot check deliveries without it`,
		`RANGE: fits nothing: 5`,
	}
	var wrong *Error
	if err := e.Err(); !errors.As(err, &wrong) || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got:\n%v\nwant:\n%s", err, strings.Join(want, "\n"))
	}
}

func TestURLRefusesWithoutRepeating(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"host.example", "ftp://canary", "http://", "https://user:canary@host", "http://host/#canary", "http://[canary", "//canary", "http://:80",
	} {
		e := FromMap(map[string]string{"ADDRESS": value})
		if got := e.URL("ADDRESS", "def"); got != "def" {
			t.Errorf("%s was taken as %s", value, got)
		}
		if err := e.Err(); err == nil || !strings.HasPrefix(err.Error(), "ADDRESS: ") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: complaint %v", value, err)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, direct, file string
		want, complaint    string
	}{
		{name: "direct", direct: "canary", want: "canary"},
		{name: "file", file: write("plain", "canary"), want: "canary"},
		{name: "one newline goes", file: write("newline", "canary\n\n"), want: "canary\n"},
		{name: "a carriage return too", file: write("crlf", "canary\r\n"), want: "canary"},
		{name: "neither"},
		{name: "both", direct: "canary", file: write("both", "canary"), complaint: "KEY: is set, and KEY_FILE too: set one of them"},
		{name: "missing", file: filepath.Join(dir, "canary"), complaint: "KEY_FILE: the file it names cannot be read: no such file or directory"},
		{name: "the secret instead of a path", file: "canary-value", complaint: "KEY_FILE: the file it names cannot be read: no such file or directory"},
		{name: "a directory", file: dir, complaint: "KEY_FILE: the file it names cannot be read: is a directory"},
		{name: "empty", file: write("empty", "\n"), complaint: "KEY_FILE: the file it names is empty"},
		{name: "too large", file: write("large", strings.Repeat("canary", maxSecretFile)), complaint: "KEY_FILE: the file it names cannot be read: it is larger than 1048576 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := FromMap(map[string]string{"KEY": test.direct, "KEY_FILE": test.file})
			e.Require("KEY", "")
			if test.name == "neither" {
				test.complaint = "KEY: is required"
			}
			if got := e.Secret("KEY").Reveal(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			got := ""
			if err := e.Err(); err != nil {
				got = err.Error()
			}
			if got != test.complaint {
				t.Errorf("complaint %q, want %q", got, test.complaint)
			}
		})
	}
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	secret := NewSecret("canary")
	type holder struct {
		Public  Secret
		private Secret
		List    []Secret
		Map     map[string]Secret
	}
	h := holder{Public: secret, private: secret, List: []Secret{secret}, Map: map[string]Secret{"k": secret}}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb+"\n", secret)
		fmt.Fprintf(&printed, verb+"\n", &secret)
		fmt.Fprintf(&printed, verb+"\n", h)
	}
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(encoded)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
		slog.New(handler).Info("message", "secret", secret, "pointer", &secret, "holder", h)
	}
	if strings.Contains(printed.String(), "canary") || strings.Contains(printed.String(), fmt.Sprintf("%x", "canary")) {
		t.Errorf("printed:\n%s", printed.String())
	}
	if !strings.Contains(string(encoded), `"Public":"[redacted]"`) {
		t.Errorf("JSON: %s", encoded)
	}
	if !NewSecret("").IsZero() || !(Secret{}).IsZero() || secret.IsZero() || (Secret{}).Reveal() != "" {
		t.Error("the empty secret is not the zero one")
	}
}

func TestUnread(t *testing.T) {
	t.Parallel()
	e := FromMap(map[string]string{"OPENRABBIT_MODEL_MAIM": "x", "OPENRABBIT_MODEL_MAIN": "y", "OPENRABBIT_EMPTY": "", "PATH": "z"})
	e.String("OPENRABBIT_MODEL_MAIN", "")
	if got := e.Unread("OPENRABBIT_"); len(got) != 1 || got[0] != "OPENRABBIT_MODEL_MAIM" {
		t.Errorf("got %v", got)
	}
}

func TestFromOS(t *testing.T) {
	t.Setenv("OPENRABBIT_TEST_FROM_OS", "a=b")
	if got := FromOS().String("OPENRABBIT_TEST_FROM_OS", ""); got != "a=b" {
		t.Errorf("got %q", got)
	}
}
