//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/recall/qdranttest"
)

const (
	repository     = "overhead/shop"
	repositoryID   = 1
	installationID = 7
	dimensions     = 256
)

// latencies are what the stand-ins take for an answer.
type latencies struct {
	github, vector, embed time.Duration
	// modelMin to modelMax is what an answer of the model takes, by a hash of seed and question.
	modelMin, modelMax time.Duration
	seed               uint64
}

// standIns are everybody else: GitHub, a model, Qdrant. They note what they served.
type standIns struct {
	now    atomic.Pointer[latencies]
	github *githubtest.Server
	model  *llmtest.Server
	qdrant *qdranttest.Server
	// head is the base branch's commit.
	head string
	// githubURL is GitHub behind the delay.
	githubURL string
	front     *http.Server

	mu    sync.Mutex
	calls []call
	// finders and verifiers are the questions, by what they were about: the numbers of the lines they name.
	questions []question
}

// question is one question to the model.
type question struct {
	schema string
	// about are the numbers of the files whose lines are reported, or judged.
	about []string
	took  time.Duration
	at    time.Time
}

func newStandIns(l latencies, files int) (*standIns, error) {
	s := &standIns{}
	s.now.Store(&l)
	var err error
	if s.github, err = githubtest.New(githubtest.Options{RateLimit: 1 << 30}); err != nil {
		return nil, fmt.Errorf("start the stand-in for GitHub: %w", err)
	}
	if s.head, err = s.github.AddRepository(repository, repositoryID, installationID, baseFiles(files)); err != nil {
		return nil, fmt.Errorf("make the repository: %w", err)
	}
	if s.model, err = llmtest.New(llmtest.Options{Respond: s.respond, NativeDimensions: dimensions, ForgetText: true}); err != nil {
		return nil, fmt.Errorf("start the stand-in for a model: %w", err)
	}
	if s.qdrant, err = qdranttest.Start(""); err != nil {
		return nil, fmt.Errorf("start the stand-in for Qdrant: %w", err)
	}
	s.qdrant.Around(func(method string, serve func()) {
		start := time.Now()
		time.Sleep(s.now.Load().vector)
		serve()
		s.note(call{what: "vectors " + method, start: start, end: time.Now()})
	})
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.githubURL = "http://" + listener.Addr().String()
	s.front = &http.Server{Handler: http.HandlerFunc(s.serveGitHub), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.front.Serve(listener) }() // it ends with close
	return s, nil
}

func (s *standIns) close() {
	_ = s.front.Close()
	s.github.Close()
	s.model.Close()
	s.qdrant.Close()
}

func (s *standIns) note(c call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

// served gives the calls of a span of time, and the questions.
func (s *standIns) served(from, to time.Time) ([]call, []question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var asked []question
	for _, q := range s.questions {
		if !q.at.Before(from) && !q.at.After(to) {
			asked = append(asked, q)
		}
	}
	return within(s.calls, from, to), asked
}

func (s *standIns) serveGitHub(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	select {
	case <-time.After(s.now.Load().github):
	case <-r.Context().Done():
		return
	}
	s.github.ServeHTTP(w, r)
	s.note(call{what: r.Method + " " + r.URL.Path, start: start, end: time.Now()})
}

var (
	// weighed is what the change calls in each file; the number is the file's.
	weighed = regexp.MustCompile(`\+\s.*weight(\d{4})\(n`)
	claimed = regexp.MustCompile(`Weight of file (\d{4})`)
)

// respond answers a question as a model would that finds something in every third file, and takes its time.
func (s *standIns) respond(c llmtest.Call) *llmtest.Rule {
	now := s.now.Load()
	if c.Endpoint == llmtest.EndpointEmbeddings {
		s.note(call{what: "embeddings", start: c.At, end: c.At.Add(now.embed)})
		return &llmtest.Rule{DelayMS: int(now.embed.Milliseconds())}
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", now.seed, c.PromptHash)
	took := now.modelMin
	if span := now.modelMax - now.modelMin; span > 0 {
		took += time.Duration(h.Sum64() % uint64(span))
	}
	q := question{schema: c.Schema, took: took, at: c.At}
	rule := &llmtest.Rule{DelayMS: int(took.Milliseconds())}
	switch c.Schema {
	case "findings":
		q.about = every(weighed, c.Prompt(), 3)
		rule.Answer = findings(q.about)
	case "verdict":
		q.about = every(claimed, c.Prompt(), 1)
		if len(q.about) > 0 {
			rule.Answer = llmtest.JSON(fmt.Sprintf(`{"verdict": "keep", "severity": "high", "quote": "total += weight%s(n)", "reason": "It is added twice."}`, q.about[0]))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.questions = append(s.questions, q)
	s.calls = append(s.calls, call{what: "model " + c.Schema + " " + strings.Join(q.about, ","), start: c.At, end: c.At.Add(took), model: true})
	return rule
}

// every gives the numbers that a text names, each once, those that n divides.
func every(pattern *regexp.Regexp, text string, n int) []string {
	var out []string
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		number := 0
		_, _ = fmt.Sscanf(m[1], "%d", &number) // four digits always scan
		if number%n == 0 && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

func findings(numbers []string) json.RawMessage {
	list := []map[string]any{}
	for _, n := range numbers {
		list = append(list, map[string]any{
			"path": fileName(n), "quote": "\ttotal += weight" + n + "(n)", "start_line": 1, "end_line": 1, "severity": "high", "category": "bug",
			"title": "Weight of file " + n + " is added twice", "body": "Every call adds weight" + n + " a second time.", "suggestion": nil, "confidence": 0.9,
		})
	}
	text, err := json.Marshal(map[string]any{"findings": list})
	if err != nil {
		return nil // strings and numbers always marshal
	}
	return text
}

func fileName(number string) string { return "shop/part" + number + "/file" + number + ".go" }

// baseFiles are what the repository holds: so many files, each with a function that a pull request may change.
func baseFiles(files int) map[string]string {
	base := map[string]string{}
	for i := range files {
		n := fmt.Sprintf("%04d", i)
		base[fileName(n)] = "package part" + n + "\n\n// Total" + n + " sums up.\nfunc Total" + n + "(items []int) int {\n\ttotal := 0\n\tfor _, n := range items {\n" +
			"\t\tif n < 0 {\n\t\t\tcontinue\n\t\t}\n\t\ttotal += n\n\t}\n\treturn total\n}\n" +
			strings.Repeat("\n// weight"+n+" is what one takes, in grams, its box and the air in it included.\nvar _ = weight"+n+"\n", 12)
	}
	return base
}

// change gives the repository with so many files changed, the first with this number.
func change(all, first, files int) map[string]string {
	head := baseFiles(all)
	for i := range files {
		n := fmt.Sprintf("%04d", first+i)
		head[fileName(n)] = strings.Replace(head[fileName(n)], "\t}\n\treturn total\n", "\t}\n\tn := len(items)\n\ttotal += weight"+n+"(n)\n\treturn total\n", 1) +
			"\nfunc weight" + n + "(n int) int {\n\treturn " + fmt.Sprint(first+i) + " * n\n}\n"
	}
	return head
}
