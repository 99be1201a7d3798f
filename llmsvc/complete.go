package llmsvc

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/openrabbit/openrabbit/internal/review"
)

// maxRepeated bounds what of a wrong answer a re-ask shows again.
const maxRepeated = 16 << 10

// question is what Complete asks.
type question struct {
	tier     review.Tier
	messages []message
	// schema is nil for an answer of plain text.
	schema      *schema
	maxOutput   int
	temperature *float64
	seed        *int64
	purpose     string
	// group is whose question it is: requests to an endpoint take turns by it.
	group string
	// ceiling is the most tokens that all requests together may take, 0 for no ceiling.
	ceiling int64
	// model is the one the caller reserved for; empty means the tier's.
	model string
}

// answer is what came of a question.
type answer struct {
	outcome    review.Outcome
	content    string
	model      string
	spent      usage
	retryAfter time.Duration
	detail     string
}

// complete asks a question. Its errors are *refusal and the caller's context's.
func (s *Service) complete(ctx context.Context, q question) (answer, error) {
	m, err := s.modelFor(q.tier)
	if err != nil {
		return answer{}, err
	}
	if q.model != "" && q.model != m.name {
		return answer{}, precondition("the %s tier's model is %q and not %q: the budget was reserved for another model", m.tier, m.name, q.model)
	}
	began := time.Now()
	c := &call{model: m, group: q.group, ceiling: q.ceiling, traits: m.memory.get()}
	got, err := s.converse(ctx, c, q)
	got.spent = c.spent
	if got.model == "" {
		got.model = c.model.name
	}
	outcome := string(got.outcome)
	if err != nil {
		outcome = "error"
	}
	s.metrics.called(s.metrics.purpose(q.purpose), c.model.name, outcome, c.spent, time.Since(began))
	return got, err
}

// converse asks, mends, and asks again where that helps: once when the answer has not the asked form, and once when a
// model that was not known to think spent the whole limit on that.
func (s *Service) converse(ctx context.Context, c *call, q question) (answer, error) {
	conversation := q.messages
	for reasked, roomier := false, false; ; {
		hadRoom := c.traits.reasons
		r, f := s.chat(ctx, c, q, conversation)
		if f != nil && s.fallBack(ctx, c, f) {
			continue
		}
		if f != nil {
			return s.failed(c, c.lastWord(f))
		}
		got := answer{model: r.model}
		switch {
		case r.refusal != "" || r.finish == openai.FinishReasonContentFilter:
			return got.as(review.OutcomeRefused, "the model or a content filter refused"), nil
		case r.finish == openai.FinishReasonLength && r.thought && !hadRoom && !roomier && c.affords(c.worst+int64(s.cfg.ReasoningTokens)):
			roomier = true
			continue
		case r.finish == openai.FinishReasonLength:
			return got.as(review.OutcomeTruncated, "the answer was cut at its limit of tokens"), nil
		case strings.TrimSpace(r.content) == "" && r.tools:
			return got.as(review.OutcomeEmpty, "the model called a tool instead of answering; there are no tools"), nil
		case strings.TrimSpace(r.content) == "":
			return got.as(review.OutcomeEmpty, "the model answered nothing"), nil
		case q.schema == nil:
			got.content = r.content
			return got.as(review.OutcomeOK, ""), nil
		}
		content, wrong := q.schema.accept(r.content)
		switch {
		case wrong == nil:
			got.content = content
			return got.as(review.OutcomeOK, ""), nil
		case refusesInProse(r.content):
			return got.as(review.OutcomeRefused, "the model refused in prose"), nil
		case reasked:
			return got.as(review.OutcomeInvalid, "the answer has not the asked form, also after asking again: "+wrong.where), nil
		}
		if !c.affords(c.worst + int64(estimate(clip(r.content, maxRepeated)+wrong.text))) {
			return got.as(review.OutcomeInvalid, "the answer has not the asked form, and nothing is left to ask again: "+wrong.where), nil
		}
		reasked = true
		conversation = append(append([]message(nil), q.messages...),
			message{role: roleAssistant, content: clip(r.content, maxRepeated)},
			message{role: roleUser, content: "This answer cannot be used: " + wrong.text +
				"\nAnswer again, with one JSON value of the asked form and nothing else."})
	}
}

func (a answer) as(outcome review.Outcome, detail string) answer {
	a.outcome, a.detail = outcome, detail
	return a
}

// failed makes the outcome, or the error, of a failure.
func (s *Service) failed(c *call, f *failure) (answer, error) {
	got := answer{retryAfter: f.retryAfter, detail: c.model.endpoint.inWords(f.detail(c.text, c.model.endpoint.Key.Reveal()))}
	switch f.kind {
	case callerLeft:
		return answer{}, fmt.Errorf("ask the model: %w", f.cause)
	case setup:
		return answer{}, s.setupRefusal(c, f)
	case rateLimited:
		got.outcome = review.OutcomeRateLimited
	case tooLong:
		got.outcome = review.OutcomeTooLong
	case policy, badRequest:
		got.outcome = review.OutcomeRefused
	case oversize:
		got.outcome = review.OutcomeInvalid
	default:
		got.outcome = review.OutcomeUnavailable
	}
	return got, nil
}

// setupRefusal says what a person must mend.
func (s *Service) setupRefusal(c *call, f *failure) *refusal {
	at := c.model.endpoint
	switch {
	case f.status == 401 && at.Key.IsZero():
		return precondition("the model server wants a key: set %s", at.keyVariable)
	case f.status == 404 || f.status == 405:
		return precondition("the model server does not know the model %q (%s), or %s is not the base of an OpenAI-compatible API",
			c.model.name, variable(c.model.tier), at.baseVariable)
	case f.status == 401 || f.status == 403:
		return precondition("%s", at.inWords(f.what))
	default:
		return precondition("%s", at.inWords(f.detail(c.text, at.Key.Reveal())))
	}
}

// refusals is how models begin when they won't.
var refusals = regexp.MustCompile(`(?i)^\W*(?:I['’]?m (?:very )?sorry,? (?:but )?(?:I )?(?:can(?:['’]?t|not)|am (?:not able|unable)|won['’]?t)|` +
	`(?:sorry,? (?:but )?)?I (?:can(?:['’]?t|not)|won['’]?t|am (?:not able|unable) to|must decline to) (?:assist|help|comply|fulfil|fulfill|do that|provide|engage|continue|answer))`)

// refusesInProse knows a refusal that came as an ordinary answer.
func refusesInProse(content string) bool {
	return !strings.ContainsAny(content, "{[") && refusals.MatchString(content)
}
