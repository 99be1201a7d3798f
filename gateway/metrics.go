package gateway

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the gateway counts. Labels come from fixed sets only, but for the events, which a good signature
// vouches for.
type metrics struct {
	answers    *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	signatures *prometheus.CounterVec
	deliveries *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, secrets int, inFlight func() float64) (*metrics, error) {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_gateway_answers_total", Help: "Requests to the webhook, by the code they were answered with.",
		}, []string{"code", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "openrabbit_gateway_answer_seconds", Help: "Time from the end of a request's headers to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"status"}),
		signatures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_gateway_signatures_total",
			Help: "Signatures by the secret that made them, by its place in the list; none for those that no secret made. " +
				"While rotating, drop the old secret when its count has stood still for three days.",
		}, []string{"secret"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_gateway_deliveries_total", Help: "Stored deliveries by event and what came of them.",
		}, []string{"event", "status", "reason"}),
	}
	gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "openrabbit_gateway_in_flight", Help: "Verified deliveries that wait for Postgres.",
	}, inFlight)
	for i := range secrets {
		m.signatures.WithLabelValues(secretLabel(i))
	}
	m.signatures.WithLabelValues("none")
	var errs []error
	for _, c := range []prometheus.Collector{m.answers, m.seconds, m.signatures, m.deliveries, gauge} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) answered(a answer, took time.Duration) {
	m.answers.WithLabelValues(strconv.Itoa(a.code), string(a.Status)).Inc()
	m.seconds.WithLabelValues(string(a.Status)).Observe(took.Seconds())
}

func (m *metrics) signed(secret int) { m.signatures.WithLabelValues(secretLabel(secret)).Inc() }

func (m *metrics) unsigned() { m.signatures.WithLabelValues("none").Inc() }

func (m *metrics) delivery(event string, o Outcome) {
	m.deliveries.WithLabelValues(event, string(o.Status), o.Reason).Inc()
}

// secretLabel names a secret by its place in the list, never by more.
func secretLabel(i int) string { return strconv.Itoa(i) }
