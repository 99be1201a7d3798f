package llmtest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

const (
	nativeDimensions = 1536
	maxBatch         = 2048
	// wholeWeight is what an identifier counts beside its parts: sharing the whole name is nearer than sharing a word.
	wholeWeight = 1.5
)

type embeddingsRequest struct {
	Model          string `json:"model"`
	Input          inputs `json:"input"`
	Dimensions     *int   `json:"dimensions"`
	EncodingFormat string `json:"encoding_format"`
}

// inputs are one text or many.
type inputs []string

// UnmarshalJSON reads a string or a list of strings.
func (in *inputs) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*in = inputs{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	*in = many
	return nil
}

type embedding struct {
	Object    string    `json:"object"`
	Index     int       `json:"index"`
	Embedding []float32 `json:"embedding"`
}

type embeddingsResponse struct {
	Object string      `json:"object"`
	Data   []embedding `json:"data"`
	Model  string      `json:"model"`
	Usage  *Usage      `json:"usage,omitempty"`
}

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) {
	var in embeddingsRequest
	c, ok := s.receive(w, r, EndpointEmbeddings, &in)
	if !ok {
		return
	}
	s.amend(func() {
		c.Model, c.Inputs, c.PromptHash = in.Model, in.Input, c.BodyHash
		if in.Dimensions != nil {
			c.Dimensions = *in.Dimensions
		}
	})
	defer s.forget(c)
	if status, e := s.embeddingsObjection(in); e != nil {
		s.refuse(w, c, status, *e)
		return
	}
	rule := s.choose(c)
	dimensions := s.options.NativeDimensions
	if dimensions == 0 {
		dimensions = nativeDimensions
	}
	if in.Dimensions != nil && !s.options.IgnoreDimensions {
		dimensions = *in.Dimensions
	}
	out := &embeddingsResponse{Object: "list", Model: in.Model, Data: make([]embedding, len(in.Input))}
	used := 0
	for i, text := range in.Input {
		used += tokens(text)
		out.Data[i] = embedding{Object: "embedding", Index: i, Embedding: Embedding(text, dimensions)}
	}
	if !s.options.DropUsage && (rule == nil || !rule.DropUsage) {
		out.Usage = &Usage{PromptTokens: int64(used), TotalTokens: int64(used)}
	}
	s.deliver(w, r, c, rule, out)
}

func (s *Server) embeddingsObjection(in embeddingsRequest) (int, *Error) {
	invalid := func(status int, param, format string, args ...any) (int, *Error) {
		return status, &Error{Message: fmt.Sprintf(format, args...), Type: "invalid_request_error", Param: param}
	}
	limit := s.options.MaxBatch
	if limit == 0 {
		limit = maxBatch
	}
	switch {
	case in.Model == "":
		return invalid(http.StatusBadRequest, "model", "you must provide a model parameter")
	case !s.knowsModel(in.Model):
		return invalid(http.StatusNotFound, "model", "The model `%s` does not exist or you do not have access to it.", in.Model)
	case len(in.Input) == 0:
		return invalid(http.StatusBadRequest, "input", "'$.input' is invalid: it is empty")
	case len(in.Input) > limit:
		return invalid(http.StatusUnprocessableEntity, "input", "batch size %d > maximum allowed batch size %d", len(in.Input), limit)
	case in.EncodingFormat != "" && in.EncodingFormat != "float":
		return invalid(http.StatusBadRequest, "encoding_format", "this stand-in gives floats only")
	case in.Dimensions != nil && s.options.Lacks.Dimensions:
		return invalid(http.StatusBadRequest, "dimensions", "This model does not support specifying dimensions.")
	case in.Dimensions != nil && *in.Dimensions < 1:
		return invalid(http.StatusBadRequest, "dimensions", "%d is less than the minimum of 1 - 'dimensions'", *in.Dimensions)
	}
	for i, text := range in.Input {
		if text == "" {
			return invalid(http.StatusBadRequest, "input", "'$.input[%d]' is invalid: it is empty", i)
		}
		if w := s.options.ContextTokens; w > 0 && tokens(text) > w {
			return invalid(http.StatusBadRequest, "input",
				"This model's maximum context length is %d tokens, however you requested %d tokens. Please reduce your prompt.", w, tokens(text))
		}
	}
	return 0, nil
}

// Embedding gives the stand-in's vector of a text, of unit length: every word of every identifier ("parseHTTPBody" has
// parse, http and body) adds to the component its hash names, with the hash's sign, so that texts with words in common
// are near and others are about orthogonal.
func Embedding(text string, dimensions int) []float32 {
	sums := make([]float64, dimensions)
	counts := map[string]float64{}
	for _, identifier := range identifiers(text) {
		words := subWords(identifier)
		for _, word := range words {
			counts[word]++
		}
		if len(words) > 1 {
			counts["\x00"+strings.ToLower(identifier)] += wholeWeight
		}
	}
	if len(counts) == 0 {
		counts["\x00"+text] = 1
	}
	norm := 0.0
	// In a fixed order: adding up in another one gives other last bits.
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(word)) // never fails
		sum := h.Sum64()
		weight := 1 + math.Log(max(counts[word], 1))
		if sum>>63 == 1 {
			weight = -weight
		}
		sums[sum%uint64(dimensions)] += weight
	}
	for _, v := range sums {
		norm += v * v
	}
	out := make([]float32, dimensions)
	if norm == 0 {
		out[0] = 1 // words that cancelled each other out
		return out
	}
	for i, v := range sums {
		out[i] = float32(v / math.Sqrt(norm))
	}
	return out
}

// identifiers splits a text at everything that is no letter, digit or underscore.
func identifiers(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// subWords splits an identifier at underscores and changes of case, in lower case.
func subWords(identifier string) []string {
	var words []string
	runes := []rune(identifier)
	start := 0
	flush := func(end int) {
		if end > start {
			words = append(words, strings.ToLower(string(runes[start:end])))
		}
	}
	for i, r := range runes {
		switch {
		case r == '_':
			flush(i)
			start = i + 1
		case i > start && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))):
			flush(i)
			start = i
		}
	}
	flush(len(runes))
	return words
}
