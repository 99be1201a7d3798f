package llmsvc

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/internal/review"
)

// Deps are what the service is given.
type Deps struct {
	// Log must be set.
	Log *slog.Logger
	// Registry takes the metrics and is what the admin port shows. Must be set.
	Registry *prometheus.Registry
	// Transport replaces the HTTP transport, for tests. It must be safe for many requests at once.
	Transport http.RoundTripper
}

// Service is the model tier.
type Service struct {
	cfg     Config
	log     *slog.Logger
	reg     *prometheus.Registry
	metrics *metrics
	schemas *schemas
	// endpoints are the first one, and the one that stands in for it if that is another.
	endpoints []*endpoint
	models    map[review.Tier]*model
	addr      atomic.Value
}

// model is one configured model.
type model struct {
	tier review.Tier
	name string
	info ModelInfo
	// limitField is the name under which the output limit is sent first.
	limitField string
	counter    *counter
	endpoint   *endpoint
	// memory, breaker and hold are shared by tiers that have the same model.
	memory  *memory
	breaker *breaker
	hold    *hold
	// fallback stands in when this one cannot answer; nil when none does. It has none itself.
	fallback *model
}

// New makes the service; nothing is asked or listened to before Run.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("make the model tier: %w", err)
	}
	if deps.Log == nil || deps.Registry == nil {
		return nil, errors.New("make the model tier: Log and Registry must be given")
	}
	cfg = cfg.withDefaults()
	m, err := newMetrics(deps.Registry)
	if err != nil {
		return nil, fmt.Errorf("make the model tier: %w", err)
	}
	s := &Service{
		cfg: cfg, log: deps.Log, reg: deps.Registry, metrics: m, schemas: newSchemas(), models: map[review.Tier]*model{},
	}
	s.addModels(deps.Transport)
	return s, nil
}

func (s *Service) addModels(transport http.RoundTripper) {
	if !s.cfg.configured() {
		return
	}
	known := knownModels()
	for name, info := range s.cfg.Models {
		known[name] = info
	}
	ceilings := limits{atOnce: s.cfg.Concurrency, requests: s.cfg.RequestsPerMinute, tokens: s.cfg.TokensPerMinute}
	first := newEndpoint(s.cfg.Endpoint, ceilings, transport)
	s.endpoints = []*endpoint{first}
	var standIn *model
	if s.cfg.FallbackModel != "" {
		at := first
		if s.cfg.Fallback.BaseURL != "" {
			at = newEndpoint(s.cfg.Fallback, ceilings, transport)
			at.baseVariable, at.keyVariable = "OPENRABBIT_FALLBACK_BASE_URL", "OPENRABBIT_FALLBACK_API_KEY"
			s.endpoints = append(s.endpoints, at)
		}
		standIn = s.newModel(tierFallback, s.cfg.FallbackModel, at, lookUp(known, s.cfg.FallbackModel))
	}
	byName := map[string]*model{}
	for _, tier := range []review.Tier{review.Fast, review.Main, tierEmbed} {
		name := s.modelName(tier)
		if name == "" {
			continue
		}
		if tier == tierEmbed && first.server.noEmbeddings {
			s.log.Warn("the model server has no embeddings, OPENRABBIT_MODEL_EMBED is not used", slog.String("server", first.server.name))
			continue
		}
		m, ok := byName[name]
		if !ok {
			m = s.newModel(tier, name, first, lookUp(known, name))
			byName[name] = m
		}
		twin := *m
		twin.tier = tier
		if tier != tierEmbed && standIn != nil && (standIn.name != name || standIn.endpoint != first) {
			twin.fallback = standIn
		}
		s.models[tier] = &twin
	}
}

// newModel makes a model of an endpoint, of which nothing was learned yet.
func (s *Service) newModel(tier review.Tier, name string, at *endpoint, info ModelInfo) *model {
	start := at.server.start
	start.reasons = info.Reasons
	label := name
	if tier == tierFallback {
		label += " (fallback)"
	}
	gauge := s.metrics.breaker.WithLabelValues(label)
	return &model{
		tier: tier, name: name, info: info, endpoint: at, limitField: preferredLimit(at.server, name), counter: newCounter(name),
		memory: &memory{known: start}, hold: &hold{},
		breaker: &breaker{changed: func(state breakerState) { gauge.Set(float64(state)) }},
	}
}

func (s *Service) modelName(tier review.Tier) string {
	switch tier {
	case review.Fast:
		return s.cfg.Fast
	case tierEmbed:
		return s.cfg.Embed
	default:
		return s.cfg.Main
	}
}

// preferredLimit gives the name of the output limit that a server most likely knows: OpenAI has retired max_tokens,
// and for its models the client library refuses it; other servers have had it longest.
func preferredLimit(at server, name string) string {
	if wantsCompletionTokens(name) {
		return fieldMaxCompletionTokens
	}
	return at.limit
}

// modelFor gives a tier's model. Its error says what to set.
func (s *Service) modelFor(tier review.Tier) (*model, error) {
	if m, ok := s.models[cmp.Or(tier, review.Main)]; ok {
		return m, nil
	}
	switch {
	case !s.cfg.configured():
		return nil, precondition("no model is configured: set OPENAI_API_KEY, or OPENAI_BASE_URL and OPENRABBIT_MODEL_MAIN")
	case tier == tierEmbed:
		return nil, precondition("no embedding model is configured, or the server has none: set OPENRABBIT_MODEL_EMBED")
	default:
		return nil, precondition("no model is configured for this server: set %s", variable(tier))
	}
}

// refusalKind is why a call was refused as a whole.
type refusalKind uint8

const (
	refusedPrecondition refusalKind = iota + 1
	refusedArgument
	refusedUnavailable
)

// refusal is a call that gave no result. Its text is one sentence, without a key or a body.
type refusal struct {
	kind       refusalKind
	text       string
	retryAfter time.Duration
}

func (r *refusal) Error() string { return r.text }

func precondition(format string, args ...any) *refusal {
	return &refusal{kind: refusedPrecondition, text: fmt.Sprintf(format, args...)}
}

func badArgument(format string, args ...any) *refusal {
	return &refusal{kind: refusedArgument, text: fmt.Sprintf(format, args...)}
}
