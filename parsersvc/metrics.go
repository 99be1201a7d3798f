package parsersvc

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
	"github.com/openrabbit/openrabbit/parsersvc/internal/pool"
)

// metrics are what the service says of itself.
type metrics struct {
	files   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	ended   *prometheus.CounterVec
	shed    prometheus.Counter
	known   map[string]bool
}

func newMetrics() *metrics {
	m := &metrics{
		files: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_parser_files_total", Help: "Files answered for, by language and status.",
		}, []string{"language", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "openrabbit_parser_file_seconds", Help: "Time from a file's admission to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"language"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_parser_children_ended_total", Help: "Parser children that were replaced, by why.",
		}, []string{"reason"}),
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "openrabbit_parser_shed_total", Help: "Calls and streams refused because the tier was full.",
		}),
		known: make(map[string]bool),
	}
	for _, l := range analysis.Languages() {
		m.known[l.Name] = true
	}
	return m
}

// file counts an answer. A language that has no grammar is "other": its name comes from outside.
func (m *metrics) file(language string, status syntax.Status, took time.Duration) {
	if !m.known[language] {
		language = "other"
	}
	m.files.WithLabelValues(language, string(status)).Inc()
	if status == syntax.StatusOK || status == syntax.StatusPartial {
		m.seconds.WithLabelValues(language).Observe(took.Seconds())
	}
}

// register puts the metrics, and those that are read from the service's parts, into a registry.
func (m *metrics) register(reg prometheus.Registerer, p *pool.Pool, a *admission, q *quarantine) error {
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	for _, c := range []prometheus.Collector{
		m.files, m.seconds, m.ended, m.shed,
		gauge("openrabbit_parser_children", "Parser children that answer.", p.Alive),
		gauge("openrabbit_parser_children_busy", "Parser children that have a file.", p.Busy),
		gauge("openrabbit_parser_files_inside", "Files that have a place, in a child or in the queue.", a.inside),
		gauge("openrabbit_parser_quarantine", "Contents remembered because they killed a parser.", q.len),
	} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}
