package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// canaries are made at run time, so that this file holds nothing that a scanner takes for a credential.
func canaries() map[string]string {
	body := strings.Repeat("Ab3", 12)
	return map[string]string{
		"installation token": "ghs_" + body,
		"stateless token":    "ghs_" + body + ".eyJ" + body + "." + body,
		"personal token":     "ghp_" + body,
		"oauth token":        "gho_" + body,
		"fine-grained":       "github" + "_pat_" + body + "_" + body,
		"model key":          "sk" + "-proj-" + body + "-" + body,
		"signed token":       "eyJ" + body + ".eyJ" + body + "." + body + "-_",
		"private key":        "-----BEGIN RSA " + "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n" + body + "\n" + body + "=\n-----END RSA PRIVATE KEY-----",
		"cut private key":    "-----BEGIN " + "PRIVATE KEY-----\n" + body + "\n" + body,
		"password":           "postgres://user:" + body + "@host:5432/db",
		"bearer":             "Authorization: Bearer " + body,
	}
}

func TestLoggerMasksEverywhere(t *testing.T) {
	t.Parallel()
	type inner struct{ Value string }
	const body = "Ab3Ab3"
	for _, format := range []string{"text", "json"} {
		for name, canary := range canaries() {
			t.Run(format+"/"+name, func(t *testing.T) {
				t.Parallel()
				var out bytes.Buffer
				log := NewLogger(&out, format, slog.LevelInfo).With("with", canary).WithGroup("group")
				log.Info("message "+canary, "plain", canary, "inside", "before "+canary+" after", "error", errors.New("wrap: "+canary),
					"struct", inner{canary}, "list", []string{canary}, slog.Group("nested", "deep", canary), "quoted", "\n"+canary)
				if strings.Contains(out.String(), body) {
					t.Errorf("printed:\n%s", out.String())
				}
				if got := strings.Count(out.String(), masked); got < 8 {
					t.Errorf("%d masks in:\n%s", got, out.String())
				}
				if format == "json" && !json.Valid(out.Bytes()) {
					t.Errorf("not JSON any more:\n%s", out.String())
				}
				if lines := strings.Count(out.String(), "\n"); lines != 1 {
					t.Errorf("%d lines", lines)
				}
			})
		}
	}
}

func TestRedactLeavesOrdinaryTextAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "task-runner-with-a-very-long-name", "disk-usage-of-the-parser-service", "https://host.example:8443/a@b/c",
		"ghs_ is a prefix", "openrabbit/openrabbit#42", "0123456789abcdef0123456789abcdef01234567",
		"postgres:///openrabbit?host=%2Fvar%2Frun", "a -----BEGIN CERTIFICATE----- b", "eyJhbGciOiJub25lIn0", "the bearer is short",
	} {
		if got := Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]slog.Level{"debug": slog.LevelDebug, "WARN": slog.LevelWarn, "error": slog.LevelError, "": slog.LevelInfo, "loud": slog.LevelInfo} {
		if got := ParseLevel(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
	var out bytes.Buffer
	log := NewLogger(&out, "text", slog.LevelWarn)
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "loud") {
		t.Errorf("printed %q", got)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriterErrorsComeThrough(t *testing.T) {
	t.Parallel()
	handler := NewLogger(failing{}, "text", slog.LevelInfo).Handler()
	if err := handler.Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "message", 0)); err == nil {
		t.Error("a full disk was not said")
	}
}

// FuzzRedact checks that masking never breaks the form of a record and that masking twice changes nothing more.
func FuzzRedact(f *testing.F) {
	for _, canary := range canaries() {
		f.Add(canary)
	}
	f.Add(`"\n" : // @ sk- BEGIN PRIVATE KEY-----`)
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		NewLogger(&out, "json", slog.LevelInfo).Info(text, "attribute", text)
		if !json.Valid(out.Bytes()) {
			t.Errorf("not JSON: %s", out.String())
		}
		if once := Redact(text); Redact(once) != once {
			t.Errorf("masking %q again gives %q", once, Redact(once))
		}
	})
}
