package llmtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// chatRequest is what of a chat completion's request is looked at.
type chatRequest struct {
	Model               string    `json:"model"`
	Messages            []Message `json:"messages"`
	MaxTokens           int       `json:"max_tokens"`
	MaxCompletionTokens int       `json:"max_completion_tokens"`
	Temperature         *float64  `json:"temperature"`
	Seed                *int64    `json:"seed"`
	Stream              bool      `json:"stream"`
	ResponseFormat      *struct {
		Type       string `json:"type"`
		JSONSchema *struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"schema"`
			Strict bool            `json:"strict"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

type chatMessage struct {
	Role      string     `json:"role"`
	Content   *string    `json:"content"`
	Refusal   *string    `json:"refusal"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type toolCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type chatChoice struct {
	Index        int         `json:"index"`
	Message      chatMessage `json:"message"`
	FinishReason string      `json:"finish_reason"`
}

type chatResponse struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   *Usage       `json:"usage,omitempty"`
}

var schemaName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// namedInPrompt finds the schema's name in a request that has no response_format: the model tier writes the schema
// into the conversation, after this sentence, when a server refuses the parameter.
var namedInPrompt = regexp.MustCompile(`JSON Schema named "([A-Za-z0-9_-]{1,64})"`)

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	var in chatRequest
	c, ok := s.receive(w, r, EndpointChat, &in)
	if !ok {
		return
	}
	s.amend(func() { describe(c, in) })
	defer s.forget(c)
	defer s.amend(func() { c.Ended = time.Now() })
	if status, e := s.objection(c, in); e != nil {
		s.refuse(w, c, status, *e)
		return
	}
	rule := s.choose(c)
	answer, e := s.compose(c, rule)
	if e != nil {
		s.refuse(w, c, http.StatusInternalServerError, *e)
		return
	}
	s.deliver(w, r, c, rule, answer)
}

// describe notes what the request asks.
func describe(c *Call, in chatRequest) {
	c.Model, c.Messages = in.Model, in.Messages
	c.MaxTokens, c.MaxCompletionTokens = in.MaxTokens, in.MaxCompletionTokens
	c.Temperature, c.Seed = in.Temperature, in.Seed
	if in.ResponseFormat != nil {
		c.Format = in.ResponseFormat.Type
		if js := in.ResponseFormat.JSONSchema; js != nil {
			c.Schema, c.schema, c.Strict = js.Name, js.Schema, js.Strict
		}
	}
	if c.Schema == "" {
		if m := namedInPrompt.FindStringSubmatch(c.Prompt()); m != nil {
			c.Schema = m[1]
		}
	}
	sum := sha256.Sum256([]byte(c.Model + "\x00" + c.Schema + "\x00" + c.Prompt()))
	c.PromptHash = hex.EncodeToString(sum[:])
}

func (s *Server) forget(c *Call) {
	if s.options.ForgetText {
		s.amend(func() { c.Messages, c.Inputs, c.schema = nil, nil, nil })
	}
}

// objection says why a real server would refuse the request; nil when it would not.
func (s *Server) objection(c *Call, in chatRequest) (int, *Error) {
	invalid := func(param, code, format string, args ...any) (int, *Error) {
		return http.StatusBadRequest, &Error{
			Message: fmt.Sprintf(format, args...), Type: "invalid_request_error", Param: param, Code: code,
		}
	}
	if in.Model == "" {
		return invalid("model", "", "you must provide a model parameter")
	}
	if !s.knowsModel(in.Model) {
		return http.StatusNotFound, &Error{
			Message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", in.Model),
			Type:    "invalid_request_error", Code: "model_not_found",
		}
	}
	if len(in.Messages) == 0 {
		return invalid("messages", "", "[] is too short - 'messages'")
	}
	for i, m := range in.Messages {
		switch {
		case m.Content == "":
			return invalid(fmt.Sprintf("messages[%d].content", i), "", "message %d has no content", i)
		case m.Role != "system" && m.Role != "user" && m.Role != "assistant":
			return invalid(fmt.Sprintf("messages[%d].role", i), "", "message %d: unknown role %q", i, m.Role)
		case m.Role == "system" && s.options.Lacks.SystemRole:
			return invalid(fmt.Sprintf("messages[%d].role", i), "unsupported_value",
				"Unsupported value: 'messages[%d].role' does not support 'system' with this model.", i)
		}
	}
	if in.Stream {
		return invalid("stream", "", "this stand-in does not stream")
	}
	if status, e := s.lacking(in); e != nil {
		return status, e
	}
	if status, e := s.badFormat(in); e != nil {
		return status, e
	}
	if limit := s.options.ContextTokens; limit > 0 {
		if n := tokens(c.Prompt()); n > limit {
			return invalid("messages", "context_length_exceeded",
				"This model's maximum context length is %d tokens. However, your messages resulted in %d tokens. Please reduce the length of the messages.", limit, n)
		}
	}
	return 0, nil
}

// lacking refuses the parameters that Options.Lacks names.
func (s *Server) lacking(in chatRequest) (int, *Error) {
	lacks := s.options.Lacks
	unsupported := func(param, message string) (int, *Error) {
		return http.StatusBadRequest, &Error{
			Message: message, Type: "invalid_request_error", Param: param, Code: "unsupported_parameter",
		}
	}
	switch {
	case lacks.MaxTokens && in.MaxTokens > 0:
		return unsupported("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
	case lacks.MaxCompletionTokens && in.MaxCompletionTokens > 0:
		return unsupported("max_completion_tokens", "Unrecognized request argument supplied: max_completion_tokens")
	case lacks.Temperature && in.Temperature != nil && *in.Temperature != 1:
		return unsupported("temperature", "Unsupported value: 'temperature' does not support this value with this model. Only the default (1) value is supported.")
	case lacks.Seed && in.Seed != nil:
		return unsupported("seed", "Unrecognized request argument supplied: seed")
	}
	return 0, nil
}

// badFormat refuses a response_format that is not one, or that the server lacks.
func (s *Server) badFormat(in chatRequest) (int, *Error) {
	if in.ResponseFormat == nil {
		return 0, nil
	}
	invalid := func(format string, args ...any) (int, *Error) {
		return http.StatusBadRequest, &Error{
			Message: fmt.Sprintf(format, args...), Type: "invalid_request_error", Param: "response_format",
		}
	}
	lacks := s.options.Lacks
	switch kind := in.ResponseFormat.Type; kind {
	case "text":
		return 0, nil
	case "json_object":
		if lacks.JSONObject {
			return invalid("'response_format.type' must be 'text'")
		}
		return 0, nil
	case "json_schema":
		if lacks.JSONSchema {
			return invalid("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.")
		}
	default:
		return invalid("Invalid value for 'response_format.type': %q", kind)
	}
	js := in.ResponseFormat.JSONSchema
	switch {
	case js == nil || len(js.Schema) == 0:
		return invalid("Missing required parameter: 'response_format.json_schema'.")
	case !schemaName.MatchString(js.Name):
		return invalid("Invalid 'response_format.json_schema.name': %q", js.Name)
	}
	if _, err := compile(js.Schema); err != nil {
		return invalid("Invalid schema for response_format '%s': %v", js.Name, err)
	}
	if !js.Strict {
		return 0, nil
	}
	if lacks.Strict {
		return invalid("Invalid schema for response_format '%s': 'strict' is not permitted.", js.Name)
	}
	if why := notStrict(js.Schema); why != "" {
		return invalid("Invalid schema for response_format '%s': %s", js.Name, why)
	}
	return 0, nil
}

// compose writes the answer to a call. An error means that the script is at fault.
func (s *Server) compose(c *Call, rule *Rule) (*chatResponse, *Error) {
	if rule == nil {
		rule = &Rule{}
	}
	text := ""
	switch {
	case rule.ToolCall || rule.Refusal != "":
	case len(rule.Answer) > 0:
		text = rule.text()
		if !rule.Raw && len(c.schema) > 0 {
			if err := conforms(c.schema, text); err != nil {
				return nil, &Error{Message: fmt.Sprintf("llmtest: rule %d answers %q with what its schema forbids: %v", c.Rule, c.Schema, err), Type: "server_error"}
			}
		}
	default:
		text = defaultAnswer(c)
	}
	out := &chatResponse{ID: "chatcmpl-" + c.PromptHash[:12], Object: "chat.completion", Created: c.At.Unix(), Model: c.Model}
	if s.options.NumberModels {
		out.Model = fmt.Sprintf("%s#%d", c.Model, c.Number)
	}
	choice := chatChoice{Message: chatMessage{Role: "assistant"}, FinishReason: "stop"}
	reasoning := rule.ReasoningTokens + s.options.ReasoningTokens
	if limit := max(c.MaxTokens, c.MaxCompletionTokens); limit > 0 && tokens(text)+reasoning > limit {
		text, choice.FinishReason = cutTo(text, limit-reasoning), "length"
	}
	switch {
	case rule.ToolCall:
		call := toolCall{ID: "call_1", Type: "function"}
		call.Function.Name, call.Function.Arguments = "run", `{"command":"id"}`
		choice.Message.ToolCalls, choice.FinishReason = []toolCall{call}, "tool_calls"
	case rule.Refusal != "":
		choice.Message.Refusal = &rule.Refusal
	default:
		choice.Message.Content = &text
	}
	if rule.FinishReason != "" {
		choice.FinishReason = rule.FinishReason
	}
	out.Choices = []chatChoice{choice}
	out.Usage = s.usage(c, rule, tokens(text)+reasoning, reasoning)
	return out, nil
}

func (s *Server) usage(c *Call, rule *Rule, output, reasoning int) *Usage {
	switch {
	case rule.DropUsage || s.options.DropUsage:
		return nil
	case rule.Usage != nil:
		return rule.Usage
	}
	input := tokens(c.Prompt())
	u := &Usage{PromptTokens: int64(input), CompletionTokens: int64(output), TotalTokens: int64(input + output)}
	if reasoning > 0 {
		u.OutputDetails = &outputsDetails{ReasoningTokens: int64(reasoning)}
	}
	return u
}

// tokens is what the stand-in takes for the size of a text: a token for every four bytes.
func tokens(text string) int { return (len(text) + 3) / 4 }

// cutTo gives the beginning of the text that n tokens hold.
func cutTo(text string, n int) string {
	return text[:min(max(n, 0)*4, len(text))]
}
