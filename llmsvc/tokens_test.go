package llmsvc

import (
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/openrabbit/openrabbit/internal/review"
)

func TestTokenizersByName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"gpt-4o": "o200k_base", "gpt-4o-2024-08-06": "o200k_base", "openai/gpt-4o-mini": "o200k_base", "gpt-4.1-mini": "o200k_base",
		"gpt-5": "o200k_base", "gpt-5-2025-08-07": "o200k_base", "o3-mini": "o200k_base", "gpt-4-turbo": "cl100k_base",
		"text-embedding-3-small": "cl100k_base", "text-embedding-ada-002": "cl100k_base",
		"gpt-5.4": "", "qwen3-coder:30b": "", "claude-sonnet": "", "": "",
	} {
		got := ""
		if codec := codecFor(baseName(name)); codec != nil {
			got = codec.GetName()
		}
		if got != want {
			t.Errorf("%q is counted with %q, want %q", name, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	known, unknown := newCounter("gpt-4o"), newCounter("local-model")
	code := strings.Repeat("func (s *Service) complete(ctx context.Context, q question) (answer, error) {\n", 50)
	exactly, exact := known.count(code)
	guess, guessed := unknown.count(code)
	if !exact || guessed || exactly == 0 || guess < exactly || guess > 2*exactly {
		t.Errorf("%d (exact %v), estimated %d (exact %v)", exactly, exact, guess, guessed)
	}
	if n, exact := unknown.count(""); n != 0 || !exact {
		t.Errorf("nothing has %d tokens, exact %v", n, exact)
	}
	if n, exact := known.count(strings.Repeat("a", maxExact+1)); exact || n != (maxExact+3)/3 {
		t.Errorf("a huge text: %d, exact %v", n, exact)
	}
	if n, _ := unknown.count("abcd"); n != 2 {
		t.Errorf("four bytes are %d tokens, want them rounded up", n)
	}
}

func TestCountersAreSafeForManyAtOnce(t *testing.T) {
	t.Parallel()
	c := newCounter("gpt-4o")
	want, _ := c.count("some text to count, again and again")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if n, _ := c.count("some text to count, again and again"); n != want {
					t.Errorf("%d tokens, want %d", n, want)
				}
			}
		})
	}
	group.Wait()
}

func TestCut(t *testing.T) {
	t.Parallel()
	c := newCounter("text-embedding-3-small")
	for name, text := range map[string]string{
		"words": strings.Repeat("some words here ", 400), "no spaces": strings.Repeat("x", 4000), "wide": strings.Repeat("日本語テキスト", 400),
		"emoji": strings.Repeat("👩‍👩‍👧‍👦", 300),
	} {
		got := c.cut(text, 100)
		n, _ := c.count(got)
		if n > 101 || n < 50 || !strings.HasPrefix(text, got) {
			t.Errorf("%s: %d tokens, a beginning: %v", name, n, strings.HasPrefix(text, got))
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%s: cut inside of a character", name)
		}
	}
	if got := c.cut("short", 100); got != "short" {
		t.Errorf("got %q", got)
	}
	long := strings.Repeat("word ", 1000)
	if c.cut(long, 0) != long || newCounter("local").cut(long, 10) != long {
		t.Error("cut without knowing where")
	}
}

func TestCountTokens(t *testing.T) {
	t.Parallel()
	s := newBare(t, Config{Endpoint: Endpoint{BaseURL: "http://x.test"}, Main: "gpt-4o", Fast: "local"})
	if counts, exact := s.countTokens(t.Context(), review.Main, []string{"hello world", ""}); !exact || counts[0] != 2 || counts[1] != 0 {
		t.Errorf("%v %v", counts, exact)
	}
	if counts, exact := s.countTokens(t.Context(), review.Fast, []string{"hello world"}); exact || counts[0] != 4 {
		t.Errorf("%v %v", counts, exact)
	}
	if counts, exact := newBare(t, Config{}).countTokens(t.Context(), "", []string{"hello world"}); exact || counts[0] != 4 {
		t.Errorf("without a model: %v %v", counts, exact)
	}
}
