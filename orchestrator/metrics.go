package orchestrator

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/internal/review"
)

// metrics are what operators watch.
type metrics struct {
	ended    *prometheus.CounterVec
	attempts *prometheus.CounterVec
	age      prometheus.Histogram
	slice    prometheus.Histogram
	comments *prometheus.CounterVec
	calls    *prometheus.CounterVec
	missed   *prometheus.CounterVec
	swept    *prometheus.CounterVec
	threads  *prometheus.CounterVec
	doubles  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_reviews_ended_total", Help: "Reviews that this process ended, by state.",
		}, []string{"state"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_review_attempts_total", Help: "Attempts at reviews, by how they ended: done, snooze, retry, stopped.",
		}, []string{"outcome", "why"}),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "openrabbit_review_seconds", Help: "Time from the request of a review to its end.",
			Buckets: []float64{1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600},
		}),
		slice: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "openrabbit_review_attempt_seconds", Help: "Time that one attempt took.",
			Buckets: []float64{.1, .5, 1, 5, 15, 30, 60, 120, 180},
		}),
		comments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_comments_total", Help: "Comments of reviews, by what GitHub made of them: posted, degraded, refused.",
		}, []string{"outcome"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_model_questions_total", Help: "Questions to the model tier, by outcome; stored ones cost nothing.",
		}, []string{"outcome"}),
		missed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_missed_deliveries_total",
			Help: "Deliveries that GitHub sent and we never got: asked (for redelivery), refused (by GitHub), restored, lost.",
		}, []string{"outcome"}),
		swept: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_swept_pull_requests_total",
			Help: "Open pull requests that the sweep looked at: requested (a review), or why not.",
		}, []string{"outcome"}),
		threads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_threads_total", Help: "Threads of findings that a later revision fixed: answered, resolved.",
		}, []string{"outcome"}),
		doubles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openrabbit_posting_anomalies_total",
			Help: "What the look at GitHub a while after posting found and should not have: review_twice, walkthrough_twice, review_missing. Alert on any.",
		}, []string{"kind"}),
	}
	for _, c := range []prometheus.Collector{m.ended, m.attempts, m.age, m.slice, m.comments, m.calls, m.missed, m.swept, m.threads, m.doubles} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// end counts a review that ended.
func (m *metrics) end(state review.State, requested time.Time) {
	m.ended.WithLabelValues(string(state)).Inc()
	if !requested.IsZero() {
		m.age.Observe(time.Since(requested).Seconds())
	}
}
