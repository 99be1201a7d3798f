package llmsvc

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"

	"github.com/openrabbit/openrabbit/internal/review"
)

// maxExact bounds the text that is counted exactly; the time that takes grows faster than the text.
const maxExact = 1 << 20

// counter counts a model's tokens.
type counter struct {
	// load gives the model's tokenizer, nil when it is not known. The vocabulary takes 16 ms, so it waits for its use.
	load func() tokenizer.Codec
}

func newCounter(model string) *counter {
	return &counter{load: sync.OnceValue(func() tokenizer.Codec { return codecFor(baseName(model)) })}
}

// codecFor knows the tokenizers OpenAI has told of; nil for other models.
func codecFor(base string) tokenizer.Codec {
	codec, err := tokenizer.ForModel(tokenizer.Model(base))
	if err == nil {
		return codec
	}
	// Not in the library's table, but documented: snapshots of gpt-5, and the third embeddings.
	var encoding tokenizer.Encoding
	switch {
	case strings.HasPrefix(base, "gpt-5-"):
		encoding = tokenizer.O200kBase
	case strings.HasPrefix(base, "text-embedding-3-"):
		encoding = tokenizer.Cl100kBase
	default:
		return nil
	}
	if codec, err = tokenizer.Get(encoding); err != nil {
		return nil
	}
	return codec
}

// count gives a text's tokens, and whether that is exact. An estimate is never too small for code and prose in
// languages with an alphabet.
func (c *counter) count(text string) (n int, exact bool) {
	if text == "" {
		return 0, true
	}
	if len(text) <= maxExact {
		if codec := c.load(); codec != nil {
			if n, err := codec.Count(text); err == nil {
				return n, true
			}
		}
	}
	return estimate(text), false
}

// estimate takes three bytes for a token; code has about 3.8.
func estimate(text string) int { return (len(text) + 2) / 3 }

// countTokens counts with a tier's tokenizer; without a model it estimates. It stops early when ctx ends.
func (s *Service) countTokens(ctx context.Context, tier review.Tier, texts []string) (counts []uint32, exact bool) {
	counter := &counter{load: func() tokenizer.Codec { return nil }}
	if m, ok := s.models[cmp.Or(tier, review.Main)]; ok {
		counter = m.counter
	}
	counts, exact = make([]uint32, len(texts)), true
	for i, text := range texts {
		if ctx.Err() != nil {
			return counts, false
		}
		n, sure := counter.count(text)
		counts[i], exact = uint32(n), exact && sure
	}
	return counts, exact
}

// cut gives the beginning of a text that fits a window, when its tokens can be counted; else the text.
func (c *counter) cut(text string, window int) string {
	if window <= 0 || len(text) <= window { // a token has a byte at least
		return text
	}
	codec := c.load()
	if codec == nil {
		return text
	}
	// No token is longer than 128 bytes, so what lies beyond cannot matter.
	head := text[:min(len(text), min(window*128, maxExact))]
	ids, parts, err := codec.Encode(head)
	if err != nil || len(ids) <= window {
		return strings.ToValidUTF8(head, "")
	}
	size := 0
	for _, part := range parts[:window] {
		size += len(part)
	}
	for size > 0 && size < len(head) && !utf8.RuneStart(head[size]) {
		size--
	}
	return head[:min(size, len(head))]
}
