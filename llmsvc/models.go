package llmsvc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/openrabbit/openrabbit/internal/review"
)

// tierEmbed is the tier of the embedding model, which the domain does not choose among.
const tierEmbed review.Tier = "embed"

// tierFallback is that of the model that stands in for others; nobody asks for it.
const tierFallback review.Tier = "fallback"

// The models of OpenAI that are used when only a key is set.
const (
	defaultFast  = "gpt-5.4-mini"
	defaultMain  = "gpt-5.4"
	defaultEmbed = "text-embedding-3-small"
)

// ModelInfo is what a deployment knows of a model. The zero value is a model of which nothing is known.
type ModelInfo struct {
	// ContextTokens is the window, input and output together; MaxOutputTokens the most of an answer. 0 means not known.
	ContextTokens   int
	MaxOutputTokens int
	// Prices of a million tokens in millionths of a US dollar, 0 when not known. Cached input costs CachedMicros, or as
	// much as other input when that is 0.
	InputMicros, CachedMicros, OutputMicros int64
	// Reasons: the model thinks before it answers, and needs room for that.
	Reasons bool
}

// dollars is a price of a million tokens.
func dollars(d float64) int64 { return int64(math.Round(d * 1e6)) }

// knownModels are OpenAI's list prices as published in 2025 and 2026 (standard tier, short context), and windows.
// OPENRABBIT_MODEL_PRICES replaces and adds.
func knownModels() map[string]ModelInfo {
	gpt := func(context, output int, input, cached, out float64, reasons bool) ModelInfo {
		return ModelInfo{
			ContextTokens: context, MaxOutputTokens: output, Reasons: reasons,
			InputMicros: dollars(input), CachedMicros: dollars(cached), OutputMicros: dollars(out),
		}
	}
	embedding := func(input float64) ModelInfo {
		return ModelInfo{ContextTokens: 8191, InputMicros: dollars(input)}
	}
	return map[string]ModelInfo{
		"gpt-5.5":                gpt(1_000_000, 128_000, 5, 0.5, 30, true),
		"gpt-5.4":                gpt(1_000_000, 128_000, 2.5, 0.25, 15, true),
		"gpt-5.4-mini":           gpt(400_000, 128_000, 0.75, 0.075, 4.5, true),
		"gpt-5.4-nano":           gpt(400_000, 128_000, 0.2, 0.02, 1.25, true),
		"gpt-5":                  gpt(400_000, 128_000, 1.25, 0.125, 10, true),
		"gpt-5-mini":             gpt(400_000, 128_000, 0.25, 0.025, 2, true),
		"gpt-5-nano":             gpt(400_000, 128_000, 0.05, 0.005, 0.4, true),
		"gpt-4.1":                gpt(1_047_576, 32_768, 2, 0.5, 8, false),
		"gpt-4.1-mini":           gpt(1_047_576, 32_768, 0.4, 0.1, 1.6, false),
		"gpt-4.1-nano":           gpt(1_047_576, 32_768, 0.1, 0.025, 0.4, false),
		"gpt-4o":                 gpt(128_000, 16_384, 2.5, 1.25, 10, false),
		"gpt-4o-mini":            gpt(128_000, 16_384, 0.15, 0.075, 0.6, false),
		"o3":                     gpt(200_000, 100_000, 2, 0.5, 8, true),
		"o4-mini":                gpt(200_000, 100_000, 1.1, 0.275, 4.4, true),
		"text-embedding-3-small": embedding(0.02),
		"text-embedding-3-large": embedding(0.13),
		"text-embedding-ada-002": embedding(0.1),
	}
}

// dated is how OpenAI marks a snapshot of a model.
var dated = regexp.MustCompile(`-\d{4}-\d{2}-\d{2}$`)

// lookUp finds a model among those known: by its name, without a vendor's prefix ("openai/gpt-4o"), and without a
// date ("gpt-4o-2024-08-06").
func lookUp(known map[string]ModelInfo, name string) ModelInfo {
	if info, ok := known[name]; ok {
		return info
	}
	base := baseName(name)
	if info, ok := known[base]; ok {
		return info
	}
	if info, ok := known[dated.ReplaceAllString(base, "")]; ok {
		return info
	}
	return ModelInfo{Reasons: reasonsByName(base)}
}

// baseName is a model's name without the vendor some routers put in front.
func baseName(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// reasonsByName knows the families that think, for models that stand in no table.
func reasonsByName(base string) bool {
	if strings.HasPrefix(base, "gpt-5") || strings.HasPrefix(base, "gpt-6") {
		return !strings.Contains(base, "-chat")
	}
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-oss", "deepseek-reasoner", "deepseek-r1"} {
		if strings.HasPrefix(base, prefix) {
			return true
		}
	}
	return false
}

// wantsCompletionTokens says whether the client library itself refuses max_tokens for this name.
func wantsCompletionTokens(name string) bool {
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5", "gpt-6"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// ParseModels reads what a deployment says of its models. Either JSON:
//
//	{"qwen3-coder:30b": {"input": 0.1, "output": 0.4, "cached_input": 0.05, "context_tokens": 32768, "max_output_tokens": 8192, "reasons": false}}
//
// or, in short, entries parted by commas, name=input/output[/context[/max_output]]:
//
//	qwen3-coder:30b=0.1/0.4/32768,nomic-embed-text=0/0/8192
//
// Prices are US dollars for a million tokens.
func ParseModels(text string) (map[string]ModelInfo, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return map[string]ModelInfo{}, nil
	case strings.HasPrefix(text, "{"):
		return modelsFromJSON(text)
	default:
		return modelsFromSpec(text)
	}
}

func modelsFromJSON(text string) (map[string]ModelInfo, error) {
	type entry struct {
		Input     float64 `json:"input"`
		Cached    float64 `json:"cached_input"`
		Output    float64 `json:"output"`
		Context   int     `json:"context_tokens"`
		MaxOutput int     `json:"max_output_tokens"`
		Reasons   *bool   `json:"reasons"`
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	var entries map[string]entry
	if err := decoder.Decode(&entries); err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("read models: there is text after the JSON")
	}
	out := map[string]ModelInfo{}
	for name, e := range entries {
		for _, price := range []float64{e.Input, e.Cached, e.Output} {
			if err := checkPrice(price); err != nil {
				return nil, fmt.Errorf("read models: %s: %w", name, err)
			}
		}
		if e.Context < 0 || e.MaxOutput < 0 {
			return nil, fmt.Errorf("read models: %s: a negative number of tokens", name)
		}
		reasons := reasonsByName(baseName(name))
		if e.Reasons != nil {
			reasons = *e.Reasons
		}
		out[name] = ModelInfo{
			ContextTokens: e.Context, MaxOutputTokens: e.MaxOutput, Reasons: reasons,
			InputMicros: dollars(e.Input), CachedMicros: dollars(e.Cached), OutputMicros: dollars(e.Output),
		}
	}
	return out, nil
}

func modelsFromSpec(text string) (map[string]ModelInfo, error) {
	out := map[string]ModelInfo{}
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		name, spec, ok := strings.Cut(entry, "=")
		parts := strings.Split(spec, "/")
		if !ok || name == "" || len(parts) < 2 || len(parts) > 4 {
			return nil, fmt.Errorf("read models: %q is not name=input/output, or with /context and /max_output", entry)
		}
		var values [4]float64
		for i, part := range parts {
			v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
			if err != nil {
				return nil, fmt.Errorf("read models: %s: %q is not a number", name, part)
			}
			if i >= 2 && v != math.Trunc(v) {
				return nil, fmt.Errorf("read models: %s: %q is not a whole number of tokens", name, part)
			}
			if err := checkPrice(v); err != nil && i < 2 {
				return nil, fmt.Errorf("read models: %s: %w", name, err)
			}
			if i >= 2 && (v < 0 || v > math.MaxInt32) {
				return nil, fmt.Errorf("read models: %s: %q is not a number of tokens", name, part)
			}
			values[i] = v
		}
		name = strings.TrimSpace(name)
		out[name] = ModelInfo{
			InputMicros: dollars(values[0]), OutputMicros: dollars(values[1]),
			ContextTokens: int(values[2]), MaxOutputTokens: int(values[3]), Reasons: reasonsByName(baseName(name)),
		}
	}
	return out, nil
}

func checkPrice(p float64) error {
	if math.IsNaN(p) || p < 0 || p > 1e6 {
		return fmt.Errorf("%v is not a price in dollars for a million tokens", p)
	}
	return nil
}

// cost gives the price of a usage in millionths of a dollar, rounded up; 0 when the prices are not known.
func (i ModelInfo) cost(u usage) int64 {
	cachedPrice := i.CachedMicros
	if cachedPrice == 0 {
		cachedPrice = i.InputMicros
	}
	cached := min(u.cached, u.input)
	total := float64(u.input-cached)*float64(i.InputMicros) + float64(cached)*float64(cachedPrice) +
		float64(u.output)*float64(i.OutputMicros)
	return int64(math.Ceil(total / 1e6))
}
