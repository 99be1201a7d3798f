package llmsvc

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/review"
)

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("sk-from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := config.FromMap(map[string]string{
		"OPENAI_API_KEY_FILE": file, "OPENAI_BASE_URL": "http://models.example:11434/v1/", "OPENRABBIT_MODEL_MAIN": "m", "OPENRABBIT_MODEL_FAST": "f",
		"OPENRABBIT_MODEL_EMBED": "e", "OPENRABBIT_LLM_ADDR": "127.0.0.1:1", "OPENRABBIT_MODEL_TIMEOUT": "30s", "OPENRABBIT_MODEL_CONCURRENCY": "3",
		"OPENRABBIT_MODEL_PRICES": "m=1/2/1000/100", "OPENRABBIT_LLM_CLIENTS": "a,b",
	})
	c := ConfigFromEnv(env)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	if unread := env.Unread("OPEN"); len(unread) != 0 {
		t.Errorf("not read: %v", unread)
	}
	if c.Key.Reveal() != "sk-from-file" || c.Main != "m" || c.Fast != "f" || c.Embed != "e" || c.Addr != "127.0.0.1:1" || c.AdminAddr != defaultAdminAddr ||
		c.Timeout != 30*time.Second || c.Concurrency != 3 || !reflect.DeepEqual(c.Clients, []string{"a", "b"}) || c.Models["m"].ContextTokens != 1000 {
		t.Errorf("got %+v", c)
	}
	if got := c.withDefaults().BaseURL; got != "http://models.example:11434/v1" {
		t.Errorf("base %q", got)
	}
}

func TestConfigComplaints(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"nothing is fine":  {nil, nil},
		"a key is fine":    {map[string]string{"OPENAI_API_KEY": "k"}, nil},
		"openai by name":   {map[string]string{"OPENAI_BASE_URL": "https://api.openai.com/v1"}, nil},
		"base, no names":   {map[string]string{"OPENAI_BASE_URL": "http://localhost:1234/v1"}, []string{"OPENRABBIT_MODEL_MAIN: is required with OPENAI_BASE_URL"}},
		"a query":          {map[string]string{"OPENAI_BASE_URL": "http://x/v1?a=b", "OPENRABBIT_MODEL_MAIN": "m"}, []string{"OPENAI_BASE_URL"}},
		"a user":           {map[string]string{"OPENAI_BASE_URL": "http://u:p@x/v1", "OPENRABBIT_MODEL_MAIN": "m"}, []string{"OPENAI_BASE_URL"}},
		"a key in two":     {map[string]string{"OPENAI_API_KEY": "k two"}, []string{"OPENAI_API_KEY: holds white space"}},
		"many at once":     {map[string]string{"OPENRABBIT_MODEL_TIMEOUT": "0", "OPENRABBIT_MODEL_CONCURRENCY": "0", "OPENRABBIT_MODEL_PRICES": "x"}, []string{"TIMEOUT", "CONCURRENCY", "PRICES"}},
		"not a duration":   {map[string]string{"OPENRABBIT_MODEL_TIMEOUT": "soon"}, []string{"TIMEOUT"}},
		"negative seconds": {map[string]string{"OPENRABBIT_MODEL_TIMEOUT": "-5s"}, []string{"TIMEOUT"}},
	} {
		env := config.FromMap(tt.env)
		ConfigFromEnv(env)
		err := env.Err()
		if (err == nil) != (len(tt.want) == 0) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no complaint about %s in %v", name, want, err)
			}
		}
	}
}

func TestDefaultModels(t *testing.T) {
	t.Parallel()
	key := config.NewSecret("k")
	for name, tt := range map[string]struct {
		cfg  Config
		want [3]string
	}{
		"nothing":            {Config{}, [3]string{}},
		"names alone":        {Config{Main: "m"}, [3]string{}},
		"key":                {Config{Endpoint: Endpoint{Key: key}}, [3]string{defaultFast, defaultMain, defaultEmbed}},
		"key and main":       {Config{Endpoint: Endpoint{Key: key}, Main: "m"}, [3]string{defaultFast, "m", defaultEmbed}},
		"openai's base":      {Config{Endpoint: Endpoint{Key: key, BaseURL: "https://api.openai.com/v1"}}, [3]string{defaultFast, defaultMain, defaultEmbed}},
		"another's base":     {Config{Endpoint: Endpoint{BaseURL: "http://x/v1"}, Main: "m"}, [3]string{"m", "m", ""}},
		"only the fast one":  {Config{Endpoint: Endpoint{BaseURL: "http://x/v1"}, Fast: "f"}, [3]string{"f", "f", ""}},
		"all":                {Config{Endpoint: Endpoint{BaseURL: "http://x/v1"}, Fast: "f", Main: "m", Embed: "e"}, [3]string{"f", "m", "e"}},
		"not quite openai":   {Config{Endpoint: Endpoint{Key: key, BaseURL: "https://api.openai.com.evil.test/v1"}, Main: "m"}, [3]string{"m", "m", ""}},
		"another, no models": {Config{Endpoint: Endpoint{Key: key, BaseURL: "http://x/v1"}}, [3]string{}},
	} {
		s := newBare(t, tt.cfg)
		var got [3]string
		for i, tier := range []review.Tier{review.Fast, review.Main, tierEmbed} {
			if m := s.models[tier]; m != nil {
				got[i] = m.name
			}
		}
		if got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	deps := Deps{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}
	if _, err := New(Config{Timeout: -1, Concurrency: -1}, deps); err == nil || !strings.Contains(err.Error(), "Timeout") || !strings.Contains(err.Error(), "Concurrency") {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("no dependencies and no error")
	}
	if _, err := New(Config{}, deps); err != nil {
		t.Error(err)
	}
	if _, err := New(Config{}, deps); err == nil {
		t.Error("two services in one registry and no error")
	}
}

func TestKeysInPlaintextAreNoticed(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]bool{
		"http://models.example/v1": true, "https://models.example/v1": false, "http://127.0.0.1:1/v1": false, "http://localhost/v1": false, "http://[::1]:4/v1": false,
	} {
		if got := newBare(t, Config{Endpoint: Endpoint{Key: config.NewSecret("k"), BaseURL: base}, Main: "m"}).endpoints[0].plaintextKey(); got != want {
			t.Errorf("%s: %v", base, got)
		}
	}
	if newBare(t, Config{Endpoint: Endpoint{BaseURL: "http://models.example/v1"}, Main: "m"}).endpoints[0].plaintextKey() {
		t.Error("there is no key")
	}
}

func TestParseModels(t *testing.T) {
	t.Parallel()
	want := map[string]ModelInfo{
		"qwen3-coder:30b": {InputMicros: 100_000, OutputMicros: 400_000, ContextTokens: 32768, MaxOutputTokens: 8192},
		"openai/gpt-5.4":  {InputMicros: 2_500_000, OutputMicros: 15_000_000, Reasons: true},
		"free":            {ContextTokens: 8192},
	}
	got, err := ParseModels("qwen3-coder:30b=0.1/0.4/32768/8192, openai/gpt-5.4=2.5/15 ,free=0/0/8192,")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("short: %+v %v", got, err)
	}
	got, err = ParseModels(`{"qwen3-coder:30b":{"input":0.1,"output":0.4,"context_tokens":32768,"max_output_tokens":8192},
		"openai/gpt-5.4":{"input":2.5,"output":15},"free":{"context_tokens":8192,"reasons":false}}`)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("JSON: %+v %v", got, err)
	}
	got, err = ParseModels(`{"o3":{"input":1,"cached_input":0.5,"reasons":false},"mine":{"reasons":true}}`)
	if err != nil || got["o3"].Reasons || !got["mine"].Reasons || got["o3"].CachedMicros != 500_000 {
		t.Errorf("reasons: %+v %v", got, err)
	}
	if got, err := ParseModels(" "); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v %v", got, err)
	}
	for _, bad := range []string{
		"m", "m=1", "m=1/x", "m=-1/2", "=1/2", "m=1/2/3/4/5", "m=1/2/1.5", "m=1/2/-3", "m=NaN/1", "m=1/Inf", "m=1/2/99999999999",
		`{"m":{"in":1}}`, `{"m":{"input":-1}}`, `{"m":{"context_tokens":-1}}`, `{"m":1}`, `{} {}`, `{`,
	} {
		if got, err := ParseModels(bad); err == nil {
			t.Errorf("%q gave %+v", bad, got)
		}
	}
}

func FuzzParseModels(f *testing.F) {
	f.Add("m=1/2/3/4,n=0.1/0.2")
	f.Add(`{"m":{"input":1,"output":2}}`)
	f.Fuzz(func(t *testing.T, text string) {
		models, err := ParseModels(text)
		if err != nil {
			return
		}
		for name, m := range models {
			if m.InputMicros < 0 || m.OutputMicros < 0 || m.CachedMicros < 0 || m.ContextTokens < 0 || m.MaxOutputTokens < 0 {
				t.Errorf("%q: %+v", name, m)
			}
		}
	})
}

func TestLookUp(t *testing.T) {
	t.Parallel()
	known := knownModels()
	for name, like := range map[string]string{
		"gpt-4o": "gpt-4o", "gpt-4o-2024-08-06": "gpt-4o", "openai/gpt-4o": "gpt-4o", "openai/gpt-5.4-mini-2026-03-17": "gpt-5.4-mini",
		defaultFast: defaultFast, defaultMain: defaultMain, defaultEmbed: defaultEmbed,
	} {
		if got := lookUp(known, name); got != known[like] || got.InputMicros == 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, reasons := range map[string]bool{
		"gpt-5.9": true, "gpt-6-sol": true, "gpt-5-chat-latest": false, "o9": false, "o3-pro": true, "openai/gpt-oss-120b": true, "llama3": false, "": false,
	} {
		if got := lookUp(known, name); got != (ModelInfo{Reasons: reasons}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	m := ModelInfo{InputMicros: 2_500_000, CachedMicros: 250_000, OutputMicros: 15_000_000}
	for _, tt := range []struct {
		u    usage
		want int64
	}{
		{usage{}, 0},
		{usage{input: 1_000_000, output: 1_000_000}, 17_500_000},
		{usage{input: 1000, cached: 1000}, 250},
		{usage{input: 10, cached: 50}, 3},
		{usage{input: 1}, 3},
	} {
		if got := m.cost(tt.u); got != tt.want {
			t.Errorf("%+v costs %d, want %d", tt.u, got, tt.want)
		}
	}
	if got := (ModelInfo{}).cost(usage{input: 1000, output: 1000}); got != 0 {
		t.Errorf("without prices: %d", got)
	}
	if got := (ModelInfo{InputMicros: 1_000_000}).cost(usage{input: 100, cached: 100}); got != 100 {
		t.Errorf("cached input without a price of its own: %d", got)
	}
}
