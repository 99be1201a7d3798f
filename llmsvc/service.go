package llmsvc

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	openai "github.com/sashabaranov/go-openai"
	"golang.org/x/sync/semaphore"

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
	client  *openai.Client
	http    *http.Client
	slots   *semaphore.Weighted
	models  map[review.Tier]*model
	addr    atomic.Value
}

// model is one configured model.
type model struct {
	tier review.Tier
	name string
	info ModelInfo
	// limitField is the name under which the output limit is sent first.
	limitField string
	counter    *counter
	// memory and breaker are shared by tiers that have the same model.
	memory  *memory
	breaker *breaker
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
	transport := deps.Transport
	if transport == nil {
		transport = newTransport(cfg.Concurrency)
	}
	d := newDoer(transport)
	library := openai.DefaultConfig(cfg.Key.Reveal())
	library.BaseURL, library.HTTPClient = cfg.BaseURL, d
	s := &Service{
		cfg: cfg, log: deps.Log, reg: deps.Registry, metrics: m, schemas: newSchemas(),
		client: openai.NewClientWithConfig(library), http: d.http,
		slots:  semaphore.NewWeighted(int64(cfg.Concurrency)),
		models: map[review.Tier]*model{},
	}
	s.addModels()
	return s, nil
}

func (s *Service) addModels() {
	if !s.cfg.configured() {
		return
	}
	known := knownModels()
	for name, info := range s.cfg.Models {
		known[name] = info
	}
	byName := map[string]*model{}
	for _, tier := range []review.Tier{review.Fast, review.Main, tierEmbed} {
		name := s.modelName(tier)
		if name == "" {
			continue
		}
		m := &model{tier: tier, name: name, info: lookUp(known, name), limitField: s.preferredLimit(name), counter: newCounter(name)}
		if twin, ok := byName[name]; ok {
			m.memory, m.breaker, m.counter = twin.memory, twin.breaker, twin.counter
		} else {
			m.memory = &memory{known: traits{reasons: m.info.Reasons}}
			gauge := s.metrics.breaker.WithLabelValues(name)
			m.breaker = &breaker{changed: func(state breakerState) { gauge.Set(float64(state)) }}
			byName[name] = m
		}
		s.models[tier] = m
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
func (s *Service) preferredLimit(name string) string {
	if s.cfg.isOpenAI() || wantsCompletionTokens(name) {
		return fieldMaxCompletionTokens
	}
	return fieldMaxTokens
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
		return nil, precondition("no embedding model is configured: set OPENRABBIT_MODEL_EMBED")
	default:
		return nil, precondition("no model is configured for this server: set %s", variable(tier))
	}
}

// plaintextKey says whether a key would travel unencrypted to another machine.
func (s *Service) plaintextKey() bool {
	u, err := url.Parse(s.cfg.BaseURL)
	if err != nil || s.cfg.Key.IsZero() || u.Scheme != "http" {
		return false
	}
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return false
	}
	return true
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
