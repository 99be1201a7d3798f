package pbconv_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/review"
)

func TestModelRequestSurvivesTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := review.ModelRequest{
			Tier:            rapid.SampledFrom([]review.Tier{review.Fast, review.Main}).Draw(t, "tier"),
			SchemaName:      rapid.StringMatching(`[a-z]{1,12}`).Draw(t, "name"),
			Schema:          rapid.String().Draw(t, "schema"),
			MaxOutputTokens: rapid.IntRange(0, math.MaxUint32).Draw(t, "max"),
		}
		for range rapid.IntRange(1, 4).Draw(t, "messages") {
			want.Messages = append(want.Messages, review.Message{
				Role:    rapid.SampledFrom([]string{"system", "user", "assistant"}).Draw(t, "role"),
				Content: rapid.String().Draw(t, "content"),
			})
		}
		sent := want
		sent.PromptHash, sent.Pass = "hash", 3
		wire := pbconv.ModelRequestToProto(sent)
		if wire.GetPurpose() != want.SchemaName {
			t.Fatalf("purpose %q, want the schema's name %q", wire.GetPurpose(), want.SchemaName)
		}
		if got := pbconv.ModelRequestFromProto(wire); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}

func TestModelRequestWithoutSchema(t *testing.T) {
	t.Parallel()
	wire := pbconv.ModelRequestToProto(review.ModelRequest{Tier: review.Main, MaxOutputTokens: -4})
	if wire.Schema != nil || wire.MaxOutputTokens != 0 {
		t.Fatalf("got %v", wire)
	}
}

func TestModelAnswerSurvivesTheWire(t *testing.T) {
	t.Parallel()
	outcomes := []review.Outcome{
		review.OutcomeOK, review.OutcomeTruncated, review.OutcomeRefused, review.OutcomeEmpty, review.OutcomeInvalid,
		review.OutcomeTooLong, review.OutcomeRateLimited, review.OutcomeUnavailable,
	}
	rapid.Check(t, func(t *rapid.T) {
		want := review.ModelAnswer{
			Outcome: rapid.SampledFrom(outcomes).Draw(t, "outcome"),
			Content: rapid.String().Draw(t, "content"),
			Model:   rapid.String().Draw(t, "model"),
			Usage: review.Usage{
				InputTokens:  rapid.Int64Min(0).Draw(t, "input"),
				OutputTokens: rapid.Int64Min(0).Draw(t, "output"),
				CostMicros:   rapid.Int64Min(0).Draw(t, "cost"),
				Calls:        rapid.IntRange(0, math.MaxUint32).Draw(t, "calls"),
			},
			RetryAfter: time.Duration(rapid.Int64Range(0, math.MaxInt64/int64(time.Millisecond)).Draw(t, "retry")) * time.Millisecond,
			Detail:     rapid.String().Draw(t, "detail"),
		}
		sent := want
		sent.Stored = true
		if got := pbconv.ModelAnswerFromProto(pbconv.ModelAnswerToProto(sent)); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}

// Every outcome of the wire but "not said" means something of its own to the domain, and comes back as itself.
func TestEveryOutcomeOfTheWireIsKnown(t *testing.T) {
	t.Parallel()
	seen := map[review.Outcome]bool{}
	for number := range llmv1.Outcome_name {
		o := llmv1.Outcome(number)
		if o == llmv1.Outcome_OUTCOME_UNSPECIFIED {
			continue
		}
		domain := pbconv.OutcomeFromProto(o)
		if seen[domain] {
			t.Errorf("%v shares the domain's %q with another", o, domain)
		}
		seen[domain] = true
		if back := pbconv.OutcomeToProto(domain); back != o {
			t.Errorf("%v came back as %v", o, back)
		}
	}
	if got := pbconv.OutcomeFromProto(llmv1.Outcome(99)); got != review.OutcomeInvalid {
		t.Errorf("an outcome of a newer model tier is %q, want invalid", got)
	}
	if got := pbconv.OutcomeToProto(review.OutcomeBudget); got != llmv1.Outcome_OUTCOME_UNSPECIFIED {
		t.Errorf("the ledger's own outcome became %v", got)
	}
}

func TestNumbersAreClamped(t *testing.T) {
	t.Parallel()
	wire := pbconv.ModelUsageToProto(review.Usage{InputTokens: -1, OutputTokens: -1, CostMicros: -1, Calls: -1})
	if wire.InputTokens != 0 || wire.OutputTokens != 0 || wire.CostMicros != 0 || wire.Requests != 0 {
		t.Errorf("negative numbers travelled: %v", wire)
	}
	if got := pbconv.ModelUsageFromProto(&llmv1.Usage{InputTokens: math.MaxUint64}); got.InputTokens != math.MaxInt64 {
		t.Errorf("a huge number became %d", got.InputTokens)
	}
	if got := pbconv.DurationFromMillis(math.MaxUint64); got <= 0 {
		t.Errorf("a huge wait became %v", got)
	}
	if got := pbconv.DurationToMillis(1); got != 1 {
		t.Errorf("one nanosecond is %d ms, want it rounded up to 1", got)
	}
	if got := pbconv.DurationToMillis(-time.Second); got != 0 {
		t.Errorf("a negative wait is %d ms", got)
	}
}
