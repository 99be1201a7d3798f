package llmsvc

import (
	"context"
	"errors"
	"math"
	"strings"

	openai "github.com/sashabaranov/go-openai"
)

// role of who speaks.
type role uint8

const (
	roleSystem role = iota + 1
	roleUser
	roleAssistant
)

// message is one turn.
type message struct {
	role    role
	content string
}

// reply is what a model answered.
type reply struct {
	content, refusal, model string
	finish                  openai.FinishReason
	tools                   bool
	// thought: the model reasoned before it answered.
	thought bool
}

// errNoAnswer is a good status with an error for a body.
var errNoAnswer = errors.New("the model server answered with an error and a good status")

// chat asks a model once, however many requests that takes.
func (s *Service) chat(ctx context.Context, c *call, q question, conversation []message) (*reply, *failure) {
	c.text = c.text[:0]
	for _, m := range conversation {
		c.text = append(c.text, m.content)
	}
	form := 0
	if q.schema != nil {
		form = estimate(string(q.schema.text))
	}
	c.worst = int64(c.inputEstimate() + form + s.outputLimit(c, q, c.traits))
	var out *reply
	f := s.persist(ctx, c, maxChatBody, func(ctx context.Context, t traits) (sent, error) {
		req, used := s.chatRequest(c, q, conversation, t)
		res, err := c.model.endpoint.client.CreateChatCompletion(ctx, req)
		if err != nil {
			return used, err
		}
		if x := exchangeOf(ctx); len(res.Choices) == 0 && statusInBody(x.body) != 0 {
			return used, errNoAnswer
		}
		out = readReply(res)
		c.spent.add(c.model.info, res.Usage, guess{
			input: c.inputEstimate(), inputMost: 3*(c.inputEstimate()+form) + frameTokens,
			output: estimate(out.content + out.refusal), outputMost: used.limit,
		})
		return used, nil
	})
	if f != nil {
		return nil, f
	}
	if out.thought && !c.traits.reasons {
		c.traits.reasons = true
		s.remember(c)
	}
	return out, nil
}

func readReply(res openai.ChatCompletionResponse) *reply {
	out := &reply{model: res.Model}
	if d := res.Usage.CompletionTokensDetails; d != nil && d.ReasoningTokens > 0 {
		out.thought = true
	}
	if len(res.Choices) == 0 {
		return out
	}
	m := res.Choices[0].Message
	out.content, out.refusal, out.finish = m.Content, m.Refusal, res.Choices[0].FinishReason
	for _, part := range m.MultiContent {
		out.content += part.Text
	}
	out.tools = len(m.ToolCalls) > 0 || m.FunctionCall != nil
	out.thought = out.thought || m.ReasoningContent != ""
	return out
}

// chatRequest writes a question as this server takes it, and says what it used.
func (s *Service) chatRequest(c *call, q question, conversation []message, t traits) (openai.ChatCompletionRequest, sent) {
	var used sent
	m := c.model
	req := openai.ChatCompletionRequest{Model: m.name}
	if q.schema != nil {
		if t.format == bySchema {
			used.hasFormat, used.strict = true, q.schema.strict && !t.loose
			req.ResponseFormat = &openai.ChatCompletionResponseFormat{
				Type: openai.ChatCompletionResponseFormatTypeJSONSchema,
				JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{
					Name: q.schema.name, Schema: q.schema.text, Strict: used.strict,
				},
			}
		} else {
			conversation = withSchema(conversation, q.schema)
		}
		if t.format == byObject {
			used.hasFormat = true
			req.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
		}
	}
	if t.noSystem {
		conversation = withoutSystem(conversation)
	}
	for _, turn := range conversation {
		used.system = used.system || turn.role == roleSystem
		req.Messages = append(req.Messages, openai.ChatCompletionMessage{Role: roleName(turn.role), Content: turn.content})
	}
	if q.temperature != nil && !t.noTemperature {
		used.temperature = true
		// The library leaves out a zero; the smallest number there is means the same to a server.
		req.Temperature = max(float32(*q.temperature), math.SmallestNonzeroFloat32)
	}
	if q.seed != nil && !t.noSeed {
		used.seed = true
		seed := int(*q.seed)
		req.Seed = &seed
	}
	used.limit = s.outputLimit(c, q, t)
	used.limitField = t.limitField(m.limitField)
	switch used.limitField {
	case fieldMaxTokens:
		req.MaxTokens = used.limit //nolint:staticcheck // deprecated at OpenAI; many other servers know no other name
	case fieldMaxCompletionTokens:
		req.MaxCompletionTokens = used.limit
	}
	return req, used
}

// leastOutput is the least limit that is made to fit a window; below it the request is too long anyway.
const leastOutput = 256

// outputLimit is the limit of an answer: what was asked for and room to think, but no more than the model gives and
// than its window, where that is known, leaves beside the input.
func (s *Service) outputLimit(c *call, q question, t traits) int {
	limit := q.maxOutput
	if limit == 0 {
		limit = s.cfg.OutputTokens
	}
	if t.reasons {
		limit += s.cfg.ReasoningTokens
	}
	info := c.model.info
	if most := smaller(info.MaxOutputTokens, t.outputCap); most > 0 {
		limit = min(limit, most)
	}
	form := 0
	if q.schema != nil {
		form = estimate(string(q.schema.text))
	}
	if window := info.ContextTokens; window > 0 && c.inputEstimate()+form+limit > window {
		if left := window - c.inputTokens() - form; left >= leastOutput {
			limit = min(limit, left)
		}
	}
	return limit
}

// withSchema puts the form of the answer at the conversation's end, where models heed it best. The first sentence is
// what internal/llmtest knows such a question by.
func withSchema(conversation []message, form *schema) []message {
	ask := "Answer with one JSON value that fits the JSON Schema named \"" + form.name +
		"\", and with nothing before or after it:\n" + string(form.text)
	out := append([]message(nil), conversation...)
	if last := len(out) - 1; last >= 0 && out[last].role == roleUser {
		out[last].content += "\n\n" + ask
		return out
	}
	return append(out, message{role: roleUser, content: ask})
}

// withoutSystem puts what the system says at the beginning of the first user's turn.
func withoutSystem(conversation []message) []message {
	var system []string
	var rest []message
	for _, m := range conversation {
		if m.role == roleSystem {
			system = append(system, m.content)
		} else {
			rest = append(rest, m)
		}
	}
	said := strings.Join(system, "\n\n")
	for i := range rest {
		if rest[i].role == roleUser {
			rest[i].content = said + "\n\n" + rest[i].content
			return rest
		}
	}
	return append([]message{{role: roleUser, content: said}}, rest...)
}

func roleName(r role) string {
	switch r {
	case roleSystem:
		return openai.ChatMessageRoleSystem
	case roleAssistant:
		return openai.ChatMessageRoleAssistant
	default:
		return openai.ChatMessageRoleUser
	}
}
