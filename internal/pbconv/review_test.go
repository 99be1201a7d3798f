package pbconv_test

import (
	"math"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/review"
)

func TestReviewEnumsSurviveTheWire(t *testing.T) {
	t.Parallel()
	for number, name := range reviewv1.State_name {
		state := reviewv1.State(number)
		if got := pbconv.ReviewStateToProto(pbconv.ReviewStateFromProto(state)); got != state {
			t.Errorf("%s comes back as %s", name, got)
		}
	}
	for number, name := range reviewv1.Severity_name {
		severity := reviewv1.Severity(number)
		if got := pbconv.ReviewSeverityToProto(pbconv.ReviewSeverityFromProto(severity)); got != severity {
			t.Errorf("%s comes back as %s", name, got)
		}
	}
	for number, name := range reviewv1.Side_name {
		side := reviewv1.Side(number)
		if got := pbconv.ReviewSideToProto(pbconv.ReviewSideFromProto(side)); got != side {
			t.Errorf("%s comes back as %s", name, got)
		}
	}
	if pbconv.ReviewStateToProto("new") != reviewv1.State_STATE_UNSPECIFIED || pbconv.ReviewStateFromProto(99) != "" {
		t.Error("a state that is not known is said")
	}
}

func TestEveryStateIsOnTheWire(t *testing.T) {
	t.Parallel()
	for _, state := range []review.State{
		review.Queued, review.Running, review.Clean, review.Findings, review.Partial, review.Skipped, review.Superseded,
		review.Cancelled, review.Failed,
	} {
		wire := pbconv.ReviewStateToProto(state)
		if wire == reviewv1.State_STATE_UNSPECIFIED || pbconv.ReviewStateFromProto(wire) != state {
			t.Errorf("%s is %s on the wire", state, wire)
		}
	}
}

func TestReviewFindingSurvivesTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := finding.Finding{
			Path:        rapid.StringMatching(`[a-z/]{1,20}`).Draw(t, "path"),
			Severity:    rapid.SampledFrom([]finding.Severity{finding.Info, finding.Low, finding.Medium, finding.High, finding.Critical}).Draw(t, "severity"),
			Category:    rapid.SampledFrom([]finding.Category{finding.Bug, finding.Test}).Draw(t, "category"),
			Title:       rapid.String().Draw(t, "title"),
			Body:        rapid.String().Draw(t, "body"),
			Suggestion:  rapid.String().Draw(t, "suggestion"),
			Confidence:  rapid.Float64Range(0, 1).Draw(t, "confidence"),
			Fingerprint: finding.Fingerprint(rapid.StringMatching(`v1:[0-9a-f]{32}`).Draw(t, "fingerprint")),
		}
		want.HasSuggestion = want.Suggestion != ""
		if rapid.Bool().Draw(t, "anchored") {
			start := rapid.IntRange(1, math.MaxInt32/2).Draw(t, "start")
			want.Anchor = diff.Anchor{
				Path: want.Path, Side: rapid.SampledFrom([]diff.Side{diff.Old, diff.New}).Draw(t, "side"),
				Start: start, End: start + rapid.IntRange(0, 100).Draw(t, "more"),
			}
		}
		wire := pbconv.ReviewFindingToProto(want)
		encoded, err := proto.Marshal(wire)
		if err != nil {
			t.Fatal(err)
		}
		var decoded reviewv1.Finding
		if err := proto.Unmarshal(encoded, &decoded); err != nil {
			t.Fatal(err)
		}
		if got := pbconv.ReviewFindingFromProto(&decoded); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		if wire.GetAnchored() != want.Anchored() {
			t.Fatalf("anchored %v, want %v", wire.GetAnchored(), want.Anchored())
		}
	})
}

func TestReviewUsageAndOmissionSurviveTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		usage := review.Usage{
			InputTokens: rapid.Int64Min(0).Draw(t, "in"), OutputTokens: rapid.Int64Min(0).Draw(t, "out"),
			CostMicros: rapid.Int64Min(0).Draw(t, "cost"), Calls: rapid.IntRange(0, math.MaxInt32).Draw(t, "calls"),
		}
		if got := pbconv.ReviewUsageFromProto(pbconv.ReviewUsageToProto(usage)); got != usage {
			t.Fatalf("got %+v, want %+v", got, usage)
		}
		omission := finding.Omission{Path: rapid.String().Draw(t, "path"), Reason: rapid.String().Draw(t, "reason")}
		if got := pbconv.ReviewOmissionFromProto(pbconv.ReviewOmissionToProto(omission)); got != omission {
			t.Fatalf("got %+v, want %+v", got, omission)
		}
	})
}

func TestAResultThatIsNotUTF8CanBeSent(t *testing.T) {
	t.Parallel()
	var wire reviewv1.Review
	pbconv.ReviewResultToProto(nil, &wire)
	pbconv.ReviewResultToProto(&review.Result{
		Summary:   "\xff",
		Findings:  []finding.Finding{{Path: "a\xfe.go", Title: "\xff", Body: "\xff", Suggestion: "\xff", Category: "\xff", Fingerprint: "\xff"}},
		Omissions: []finding.Omission{{Path: "\xff", Reason: "\xff"}},
	}, &wire)
	if _, err := proto.Marshal(&wire); err != nil {
		t.Error(err)
	}
	if len(wire.Findings) != 1 || len(wire.Omissions) != 1 || wire.Summary == "" {
		t.Errorf("got %v", &wire)
	}
}
