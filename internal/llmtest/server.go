package llmtest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxBody bounds a request.
const maxBody = 64 << 20

// Options say how the stand-in behaves. The zero value is a server that knows every parameter, needs no key and gives
// default answers.
type Options struct {
	// Script is tried before the defaults.
	Script Script
	// Respond is tried before the script: a rule to follow, or nil. It may be called at once from many requests.
	Respond func(Call) *Rule
	// Key is what a request must bring ("Authorization: Bearer <key>"); empty lets everybody in.
	Key string
	// Models are the names that exist; empty accepts every name.
	Models []string
	// Lacks are the parameters it refuses.
	Lacks Lacks
	// IgnoreDimensions answers embeddings of NativeDimensions whatever was asked, without an error.
	IgnoreDimensions bool
	// NativeDimensions is the length of an embedding when none is asked for. 0 means 1536.
	NativeDimensions int
	// MaxBatch is the most inputs of one embeddings request; 0 means 2048.
	MaxBatch int
	// ContextTokens is the window; longer requests are refused. 0 means no limit.
	ContextTokens int
	// ReasoningTokens are spent on thinking before every answer.
	ReasoningTokens int
	// DropUsage answers without usage.
	DropUsage bool
	// NumberModels lets each chat answer name its model with the call's number, as in "m#17": so it can be known again
	// wherever its answer is kept.
	NumberModels bool
	// ForgetText keeps the hashes of calls and not their text, for long runs.
	ForgetText bool
	// Addr to listen on. Empty means a free port of 127.0.0.1.
	Addr string
}

// Lacks lists what a server does not know: a request that uses it is answered with status 400 and words like those of
// real servers.
type Lacks struct {
	// JSONSchema and JSONObject are forms of response_format, Strict is the flag of json_schema.
	JSONSchema, JSONObject, Strict bool
	// MaxTokens and MaxCompletionTokens are the two names of the limit.
	MaxTokens, MaxCompletionTokens bool
	// Temperature refuses any but the default.
	Temperature bool
	Seed        bool
	// SystemRole refuses messages of the system.
	SystemRole bool
	// Dimensions is the parameter of embeddings.
	Dimensions bool
}

// Message is one turn as it arrived.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Call is one request as it arrived, and what was answered.
type Call struct {
	// Number counts the calls, from 1, in order of arrival.
	Number int
	At     time.Time
	// Ended is when it was answered, or when its client had left; zero while it is under way.
	Ended    time.Time
	Endpoint string
	Model    string
	// Schema is the name of the schema asked for, Format the type of response_format ("" when there is none).
	Schema, Format string
	Strict         bool
	// Messages of a chat request, Inputs of an embeddings request; empty with Options.ForgetText.
	Messages []Message
	Inputs   []string
	// MaxTokens and MaxCompletionTokens are 0 when not sent.
	MaxTokens, MaxCompletionTokens int
	Temperature                    *float64
	Seed                           *int64
	Dimensions                     int
	// BodyHash is the hash of all that was sent, PromptHash that of model, schema and conversation: equal hashes are
	// the same question asked again.
	BodyHash, PromptHash string
	// Status is what was answered; 0 when nothing was (a hang, a cut before the answer, or not yet).
	Status int
	// Rule is the index of the rule that answered, -1 for the defaults.
	Rule int
	// Problem is what was wrong with the request or with the script, in one sentence.
	Problem string

	schema json.RawMessage
}

// Prompt is all the text that was sent: the messages, or the inputs, in order.
func (c Call) Prompt() string {
	var b strings.Builder
	for _, m := range c.Messages {
		b.WriteString(m.Content)
		b.WriteByte('\n')
	}
	for _, in := range c.Inputs {
		b.WriteString(in)
		b.WriteByte('\n')
	}
	return b.String()
}

// Server is a running stand-in.
type Server struct {
	// URL is the base URL, as OPENAI_BASE_URL wants it: it ends in /v1. Empty for a Server that does not listen.
	URL string

	options Options
	http    *http.Server
	served  chan struct{}
	closing context.Context
	stop    context.CancelFunc

	mu    sync.Mutex
	calls []*Call
	used  []int
}

// New starts a stand-in on loopback. Close stops it.
func New(options Options) (*Server, error) {
	s, err := Unstarted(options)
	if err != nil {
		return nil, err
	}
	addr := options.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(s.closing, "tcp", addr)
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("start the model stand-in: %w", err)
	}
	s.URL = "http://" + listener.Addr().String() + "/v1"
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return s.closing },
	}
	s.served = make(chan struct{})
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.note(&Call{Problem: "serve: " + err.Error()})
		}
	}()
	return s, nil
}

// Unstarted makes a stand-in that does not listen: its Handler serves whoever calls it.
func Unstarted(options Options) (*Server, error) {
	if err := options.Script.check(); err != nil {
		return nil, fmt.Errorf("start the model stand-in: %w", err)
	}
	s := &Server{options: options, used: make([]int, len(options.Script.Rules))}
	s.closing, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Close stops the server at once; hanging requests end. Closing twice is fine.
func (s *Server) Close() {
	s.stop()
	if s.http != nil {
		// Its only error is the listener's, which is closed either way.
		_ = s.http.Close()
		<-s.served
	}
}

// Calls gives what arrived so far, in order of arrival.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Call, len(s.calls))
	for i, c := range s.calls {
		out[i] = *c
	}
	return out
}

// Problems gives what was wrong with requests and scripts; a test wants it empty.
func (s *Server) Problems() []string {
	var out []string
	for i, c := range s.Calls() {
		if c.Problem != "" {
			out = append(out, fmt.Sprintf("call %d (%s %s): %s", i, c.Endpoint, c.Schema, c.Problem))
		}
	}
	return out
}

// Handler serves the endpoints, under /v1 and at the root.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"/v1", ""} {
		mux.HandleFunc("POST "+prefix+"/chat/completions", s.chat)
		mux.HandleFunc("POST "+prefix+"/embeddings", s.embeddings)
		mux.HandleFunc("GET "+prefix+"/models", s.models)
	}
	return mux
}

func (s *Server) note(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	c.Number = len(s.calls)
}

func (s *Server) amend(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// receive reads and notes a request. It answers by itself, and says false, when the request may not come in.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, endpoint string, into any) (*Call, bool) {
	c := &Call{At: time.Now(), Endpoint: endpoint, Rule: -1}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	sum := sha256.Sum256(body)
	c.BodyHash = hex.EncodeToString(sum[:])
	s.note(c)
	switch {
	case !s.authorised(r):
		s.refuse(w, c, http.StatusUnauthorized, Error{
			Message: "Incorrect API key provided.", Type: "invalid_request_error", Code: "invalid_api_key",
		})
		return c, false
	case err != nil:
		s.refuse(w, c, http.StatusBadRequest, Error{Message: "the body could not be read", Type: "invalid_request_error"})
		return c, false
	}
	if into == nil {
		return c, true
	}
	if err := json.Unmarshal(body, into); err != nil {
		s.refuse(w, c, http.StatusBadRequest, Error{Message: "the body is not the JSON wanted: " + err.Error(), Type: "invalid_request_error"})
		return c, false
	}
	return c, true
}

func (s *Server) authorised(r *http.Request) bool {
	if s.options.Key == "" {
		return true
	}
	got := r.Header.Get("Authorization")
	return subtle.ConstantTimeCompare([]byte(got), []byte("Bearer "+s.options.Key)) == 1
}

// refuse answers with an error and notes it as the request's problem.
func (s *Server) refuse(w http.ResponseWriter, c *Call, status int, e Error) {
	s.amend(func() { c.Problem, c.Status = e.Message, status })
	writeError(w, status, e)
}

// choose finds the rule that answers a call; nil for the defaults.
func (s *Server) choose(c *Call) *Rule {
	if s.options.Respond != nil {
		s.mu.Lock()
		seen := *c
		s.mu.Unlock()
		if r := s.options.Respond(seen); r != nil {
			return r
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.options.Script.Rules {
		r := &s.options.Script.Rules[i]
		if (r.Times > 0 && s.used[i] >= r.Times) || !r.Match.matches(c) {
			continue
		}
		s.used[i]++
		c.Rule = i
		return r
	}
	return nil
}

func (s *Server) knowsModel(name string) bool {
	return len(s.options.Models) == 0 || slices.Contains(s.options.Models, name)
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	c, ok := s.receive(w, r, EndpointModels, nil)
	if !ok {
		return
	}
	type model struct {
		ID     string `json:"id"`
		Object string `json:"object"`
	}
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list", Data: []model{}}
	for _, name := range s.options.Models {
		list.Data = append(list.Data, model{ID: name, Object: "model"})
	}
	s.deliver(w, r, c, nil, list)
}
