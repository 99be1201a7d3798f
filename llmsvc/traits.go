package llmsvc

import (
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// format is how a server is told the form of an answer.
type format uint8

const (
	// bySchema sends response_format json_schema.
	bySchema format = iota
	// byObject sends response_format json_object, and the schema in the conversation.
	byObject
	// byPrompt sends the schema in the conversation only.
	byPrompt
)

// traits are what is known of a model's server. They only ever grow: merge takes the larger of each.
type traits struct {
	format format
	// loose: strict schemas are refused.
	loose bool
	// The two names of the output limit that are refused.
	noMaxTokens, noMaxCompletionTokens bool
	// outputCap is the largest output limit that is taken, 0 when not known.
	outputCap             int
	noTemperature, noSeed bool
	noSystem              bool
	noDimensions          bool
	// maxBatch is the most inputs of one embeddings request, 0 when not known.
	maxBatch int
	// reasons: the model thinks before it answers, and its thoughts count as output.
	reasons bool
}

func (t traits) merge(o traits) traits {
	t.format = max(t.format, o.format)
	t.loose = t.loose || o.loose
	t.noMaxTokens = t.noMaxTokens || o.noMaxTokens
	t.noMaxCompletionTokens = t.noMaxCompletionTokens || o.noMaxCompletionTokens
	t.outputCap = smaller(t.outputCap, o.outputCap)
	t.noTemperature = t.noTemperature || o.noTemperature
	t.noSeed = t.noSeed || o.noSeed
	t.noSystem = t.noSystem || o.noSystem
	t.noDimensions = t.noDimensions || o.noDimensions
	t.maxBatch = smaller(t.maxBatch, o.maxBatch)
	t.reasons = t.reasons || o.reasons
	return t
}

// smaller gives the smaller of two limits of which 0 is none.
func smaller(a, b int) int {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// memory is what a process has learned of a model.
type memory struct {
	mu    sync.Mutex
	known traits
}

func (m *memory) get() traits {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known
}

// keep adds what was learned and says whether any of it is new.
func (m *memory) keep(t traits) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	merged := m.known.merge(t)
	isNew := merged != m.known
	m.known = merged
	return isNew
}

// LogValue lists what is not as it is at OpenAI.
func (t traits) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("format", [...]string{"json_schema", "json_object", "prompt"}[t.format])}
	for _, lack := range []struct {
		name string
		is   bool
	}{
		{"not_strict", t.loose}, {"no_max_tokens", t.noMaxTokens}, {"no_max_completion_tokens", t.noMaxCompletionTokens},
		{"no_temperature", t.noTemperature}, {"no_seed", t.noSeed}, {"no_system_role", t.noSystem},
		{"no_dimensions", t.noDimensions}, {"reasons", t.reasons},
	} {
		if lack.is {
			attrs = append(attrs, slog.Bool(lack.name, true))
		}
	}
	if t.outputCap > 0 {
		attrs = append(attrs, slog.Int("output_cap", t.outputCap))
	}
	if t.maxBatch > 0 {
		attrs = append(attrs, slog.Int("max_batch", t.maxBatch))
	}
	return slog.GroupValue(attrs...)
}

// sent is what a request used of what a server may lack.
type sent struct {
	// hasFormat: a schema was asked for by response_format; strict: with the flag.
	hasFormat, strict bool
	// limitField is "max_tokens", "max_completion_tokens" or "", limit its value.
	limitField  string
	limit       int
	temperature bool
	seed        bool
	system      bool
	dimensions  bool
	batch       int
}

// learn says what to leave out after a server refused a request; false when its words say nothing of the kind.
func (t traits) learn(f *failure, s sent) (traits, bool) {
	switch f.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusNotImplemented:
	default:
		if f.kind != badRequest {
			return t, false
		}
	}
	text := f.said.text()
	switch {
	case s.system && containsAny(text, "system role", "'system'", `"system"`, "role system") && strings.Contains(text, "support"):
		t.noSystem = true
	case s.limitField != "" && strings.Contains(text, s.limitField):
		t = t.learnLimit(text, s)
	case s.temperature && strings.Contains(text, "temperature"):
		t.noTemperature = true
	case s.seed && strings.Contains(text, "seed"):
		t.noSeed = true
	case s.hasFormat && containsAny(text, "response_format", "response format", "json_schema", "json schema", "json_object",
		"structured output", "json mode", "invalid schema", "grammar", "guided"):
		t = t.learnFormat(text, s)
	case s.dimensions && containsAny(text, "dimension", "matryoshka"):
		t.noDimensions = true
	case s.batch > 1 && containsAny(text, "batch", "too many inputs", "maximum number of inputs", "array too long"):
		t.maxBatch = max(s.batch/2, 1)
	default:
		return t, false
	}
	return t, true
}

func (t traits) learnFormat(text string, s sent) traits {
	if t.format == bySchema && s.strict && containsAny(text, "strict", "invalid schema", "additionalproperties", "'required'") {
		t.loose = true
		return t
	}
	t.format++
	return t
}

var numbers = regexp.MustCompile(`\d+`)

// learnLimit tells a limit that is too high from a parameter that is not known.
func (t traits) learnLimit(text string, s sent) traits {
	if containsAny(text, "too large", "at most", "range", "exceed", "less than", "maximum value", "cannot be greater") {
		highest := 0
		for _, digits := range numbers.FindAllString(text, -1) {
			if n, err := strconv.Atoi(digits); err == nil && n >= 16 && n < s.limit {
				highest = max(highest, n)
			}
		}
		if highest > 0 {
			t.outputCap = highest
			return t
		}
	}
	if s.limitField == fieldMaxTokens {
		t.noMaxTokens = true
	} else {
		t.noMaxCompletionTokens = true
	}
	return t
}

const (
	fieldMaxTokens           = "max_tokens"
	fieldMaxCompletionTokens = "max_completion_tokens"
)

// limitField gives the name under which the output limit is sent: the preferred one unless it is refused, then the
// other, then none.
func (t traits) limitField(preferred string) string {
	refused := map[string]bool{fieldMaxTokens: t.noMaxTokens, fieldMaxCompletionTokens: t.noMaxCompletionTokens}
	other := fieldMaxTokens
	if preferred == fieldMaxTokens {
		other = fieldMaxCompletionTokens
	}
	switch {
	case !refused[preferred]:
		return preferred
	case !refused[other]:
		return other
	default:
		return ""
	}
}
