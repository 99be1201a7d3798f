package llmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Endpoints of the stand-in, as rules and calls name them.
const (
	EndpointChat       = "chat"
	EndpointEmbeddings = "embeddings"
	EndpointModels     = "models"
)

// Script is what a Server answers by: the first matching rule that is not used up.
type Script struct {
	Rules []Rule `json:"rules"`
}

// Match says which requests a rule is for. Everything that is set must hold; the zero Match is every chat request.
type Match struct {
	// Endpoint is "chat" or "embeddings"; empty means chat.
	Endpoint string `json:"endpoint,omitempty"`
	// Schema is the name of the schema asked for.
	Schema string `json:"schema,omitempty"`
	// Contains are texts that must all stand in the conversation (or the inputs).
	Contains []string `json:"contains,omitempty"`
	// Model is the model's name.
	Model string `json:"model,omitempty"`
}

// Rule is one scripted behaviour. The zero behaviour is the default answer.
type Rule struct {
	Match Match `json:"match"`
	// Answer is the model's answer: a JSON string stands for its text, any other JSON is answered as it is.
	Answer json.RawMessage `json:"answer,omitempty"`
	// Raw lets an answer through that does not fit the request's schema.
	Raw bool `json:"raw,omitempty"`
	// Status is the HTTP status, 0 for 200. From 400 on the body is an error.
	Status int `json:"status,omitempty"`
	// Error is the error's body; without one it says what the status means.
	Error *Error `json:"error,omitempty"`
	// RetryAfter is the header's value: seconds, an HTTP date, or nonsense.
	RetryAfter Header `json:"retry_after,omitempty"`
	// Location is the target of a redirect (status 307 and the like).
	Location string `json:"location,omitempty"`
	// FinishReason replaces "stop".
	FinishReason string `json:"finish_reason,omitempty"`
	// Refusal goes into the message's refusal field.
	Refusal string `json:"refusal,omitempty"`
	// ToolCall answers with a call of a tool nobody offered, and no content.
	ToolCall bool `json:"tool_call,omitempty"`
	// Body is the whole HTTP body, instead of a well-formed one.
	Body string `json:"body,omitempty"`
	// DelayMS waits before answering.
	DelayMS int `json:"delay_ms,omitempty"`
	// Hang never answers: it ends when the client leaves or the server closes.
	Hang bool `json:"hang,omitempty"`
	// CutAfterBytes closes the connection after so many bytes of the body; 0 closes it before any answer.
	CutAfterBytes *int `json:"cut_after_bytes,omitempty"`
	// DropUsage leaves the usage out.
	DropUsage bool `json:"drop_usage,omitempty"`
	// Usage replaces the counted usage; it may lie.
	Usage *Usage `json:"usage,omitempty"`
	// ReasoningTokens were spent on thinking: they count as output, and against the limit.
	ReasoningTokens int `json:"reasoning_tokens,omitempty"`
	// Times is how often the rule answers; 0 means always.
	Times int `json:"times,omitempty"`
}

// Error is OpenAI's form of an error.
type Error struct {
	Message string `json:"message"`
	Type    string `json:"type,omitempty"`
	Param   string `json:"param,omitempty"`
	Code    string `json:"code,omitempty"`
}

// Usage is OpenAI's form of usage.
type Usage struct {
	PromptTokens     int64           `json:"prompt_tokens"`
	CompletionTokens int64           `json:"completion_tokens"`
	TotalTokens      int64           `json:"total_tokens"`
	PromptDetails    *promptDetails  `json:"prompt_tokens_details,omitempty"`
	OutputDetails    *outputsDetails `json:"completion_tokens_details,omitempty"`
}

type promptDetails struct {
	CachedTokens int64 `json:"cached_tokens"`
}

type outputsDetails struct {
	ReasoningTokens int64 `json:"reasoning_tokens"`
}

// Cached says how many of the prompt's tokens were cached.
func (u Usage) Cached(tokens int64) Usage {
	u.PromptDetails = &promptDetails{CachedTokens: tokens}
	return u
}

// Header is the value of an HTTP header; in a script a number may stand for it too.
type Header string

// UnmarshalJSON reads a string or a number.
func (h *Header) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*h = Header(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("read header value %s: want a string or a number", data)
	}
	*h = Header(number.String())
	return nil
}

// Text is an answer of plain text.
func Text(text string) json.RawMessage {
	b, err := json.Marshal(text)
	if err != nil {
		return nil // a string always marshals
	}
	return b
}

// JSON is an answer of JSON text, as it stands.
func JSON(text string) json.RawMessage { return json.RawMessage(text) }

// ParseScript reads a script. Unknown keys, endpoints and impossible values are errors, all told at once.
func ParseScript(data []byte) (Script, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var s Script
	if err := decoder.Decode(&s); err != nil {
		return Script{}, fmt.Errorf("parse script: %w", err)
	}
	if decoder.More() {
		return Script{}, errors.New("parse script: text after the script's end")
	}
	if err := s.check(); err != nil {
		return Script{}, fmt.Errorf("parse script: %w", err)
	}
	return s, nil
}

// LoadScript reads the scripts that match the pattern, in the order of their names, and puts their rules in a row.
func LoadScript(fsys fs.FS, pattern string) (Script, error) {
	names, err := fs.Glob(fsys, pattern)
	if err != nil {
		return Script{}, fmt.Errorf("load scripts %s: %w", pattern, err)
	}
	if len(names) == 0 {
		return Script{}, fmt.Errorf("load scripts %s: %w", pattern, fs.ErrNotExist)
	}
	slices.Sort(names)
	var all Script
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return Script{}, fmt.Errorf("load script %s: %w", name, err)
		}
		s, err := ParseScript(data)
		if err != nil {
			return Script{}, fmt.Errorf("load script %s: %w", name, err)
		}
		all.Rules = append(all.Rules, s.Rules...)
	}
	return all, nil
}

func (s Script) check() error {
	var problems []error
	for i, r := range s.Rules {
		for _, why := range r.problems() {
			problems = append(problems, fmt.Errorf("rule %d: %s", i, why))
		}
	}
	return errors.Join(problems...)
}

func (r Rule) problems() []string {
	var out []string
	switch r.Match.Endpoint {
	case "", EndpointChat, EndpointEmbeddings:
	default:
		out = append(out, fmt.Sprintf("endpoint %q: want chat or embeddings", r.Match.Endpoint))
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		out = append(out, fmt.Sprintf("status %d: want 200 to 599", r.Status))
	}
	if r.DelayMS < 0 || r.Times < 0 || r.ReasoningTokens < 0 || (r.CutAfterBytes != nil && *r.CutAfterBytes < 0) {
		out = append(out, "a negative number")
	}
	if len(r.Answer) > 0 && !json.Valid(r.Answer) {
		out = append(out, "answer is not JSON; a text goes between quotes")
	}
	return out
}

// matches says whether the rule is for this call.
func (m Match) matches(c *Call) bool {
	endpoint := m.Endpoint
	if endpoint == "" {
		endpoint = EndpointChat
	}
	if endpoint != c.Endpoint || (m.Schema != "" && m.Schema != c.Schema) || (m.Model != "" && m.Model != c.Model) {
		return false
	}
	if len(m.Contains) == 0 {
		return true
	}
	text := c.Prompt()
	for _, part := range m.Contains {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// text gives the answer as the model would write it.
func (r Rule) text() string {
	var text string
	if err := json.Unmarshal(r.Answer, &text); err == nil {
		return text
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, r.Answer); err != nil {
		return string(r.Answer)
	}
	return compact.String()
}
