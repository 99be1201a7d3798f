package review

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/openrabbit/openrabbit/internal/prompt"
)

// The most tokens of visible answer that are asked for. Room for reasoning is the model tier's to add.
const (
	summaryTokens = 3000
	finderTokens  = 8000
	verdictTokens = 1200
)

// ask puts one question and counts what it took.
func (r *run) ask(ctx context.Context, tier Tier, p prompt.Prompt, tokens, pass int) (ModelAnswer, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return ModelAnswer{}, fmt.Errorf("ask for %s: %w", p.SchemaName, ctx.Err())
	}
	answer, err := r.model.Ask(ctx, ModelRequest{
		Tier: tier,
		Messages: []Message{
			{Role: "system", Content: p.System},
			{Role: "user", Content: p.User},
		},
		SchemaName: p.SchemaName, Schema: p.Schema, MaxOutputTokens: tokens, PromptHash: p.Hash, Pass: pass,
	})
	if err != nil {
		return ModelAnswer{}, fmt.Errorf("ask for %s: %w", p.SchemaName, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Usage.Add(answer.Usage)
	r.asked[p.Hash] = true
	if answer.Model != "" {
		r.models[answer.Model] = true
	}
	switch answer.Outcome {
	case OutcomeUnavailable, OutcomeRateLimited, OutcomeBudget:
		if why := strings.TrimSuffix(strings.TrimSpace(answer.Detail), "."); why != "" {
			r.failures[capital(why)+"."] = true
		}
	default:
	}
	return answer, nil
}

// decode reads an answer that came out well. What does not have the asked form is an invalid answer, however well the
// server meant it.
func decode(a *ModelAnswer, to any) bool {
	if a.Outcome != OutcomeOK {
		return false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(a.Content)))
	err := d.Decode(to)
	if err == nil {
		var rest json.RawMessage
		if more := d.Decode(&rest); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		a.Outcome = OutcomeInvalid
		return false
	}
	return true
}

// because says in a phrase what an outcome means to a reader.
func because(o Outcome) string {
	switch o {
	case OutcomeTruncated:
		return "the model's answer was cut off"
	case OutcomeRefused:
		return "the model refused to answer"
	case OutcomeEmpty:
		return "the model gave no answer"
	case OutcomeInvalid:
		return "the model's answer was not usable"
	case OutcomeTooLong:
		return "it is too long for the model"
	case OutcomeRateLimited:
		return "the model's rate limit was reached"
	case OutcomeUnavailable:
		return "the model could not be reached"
	case OutcomeBudget:
		return "the budget for models is used up"
	case OutcomeOK:
		return "the model's answer was not usable"
	default:
		return "the model did not answer"
	}
}
