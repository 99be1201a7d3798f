package llmsvc

import (
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxPurposes bounds the values of the label that callers choose.
const maxPurposes = 24

var purposeShape = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// metrics are what /metrics shows of the tier.
type metrics struct {
	calls    *prometheus.CounterVec
	http     *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	cost     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	breaker  *prometheus.GaugeVec
	inFlight prometheus.Gauge
	// fallbacks counts the calls that went to the model that stands in.
	fallbacks *prometheus.CounterVec

	mu       sync.Mutex
	purposes map[string]bool
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_llm_calls_total", Help: "Questions and embeddings asked, by what came of them.",
		}, []string{"purpose", "model", "outcome"}),
		http: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_llm_http_requests_total", Help: "Requests sent to the model server, by status (none when no answer came).",
		}, []string{"model", "status"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_llm_tokens_total", Help: "Tokens used, by kind: input, cached_input (part of input), output.",
		}, []string{"purpose", "model", "kind"}),
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_llm_cost_micros_total", Help: "What calls cost, in millionths of a US dollar.",
		}, []string{"purpose", "model"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "openrabbit_llm_call_seconds", Help: "How long calls took, retries and waits included.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160},
		}, []string{"purpose", "model"}),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "openrabbit_llm_breaker_state", Help: "0 closed, 1 probing, 2 open.",
		}, []string{"model"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "openrabbit_llm_http_in_flight", Help: "Requests on their way to the model server.",
		}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_llm_fallbacks_total", Help: "Calls that went on with the fallback model, by why.",
		}, []string{"model", "fallback", "reason"}),
		purposes: map[string]bool{},
	}
	for _, c := range []prometheus.Collector{m.calls, m.http, m.tokens, m.cost, m.seconds, m.breaker, m.inFlight, m.fallbacks} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// purpose makes a label of what a caller says: a word, of which there are not too many.
func (m *metrics) purpose(said string) string {
	if !purposeShape.MatchString(said) {
		return "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.purposes[said] {
		if len(m.purposes) >= maxPurposes {
			return "other"
		}
		m.purposes[said] = true
	}
	return said
}

// called notes the end of a call.
func (m *metrics) called(purpose, model, outcome string, u usage, took time.Duration) {
	m.calls.WithLabelValues(purpose, model, outcome).Inc()
	m.seconds.WithLabelValues(purpose, model).Observe(took.Seconds())
	m.tokens.WithLabelValues(purpose, model, "input").Add(float64(u.input))
	m.tokens.WithLabelValues(purpose, model, "cached_input").Add(float64(u.cached))
	m.tokens.WithLabelValues(purpose, model, "output").Add(float64(u.output))
	m.cost.WithLabelValues(purpose, model).Add(float64(u.cost))
}
