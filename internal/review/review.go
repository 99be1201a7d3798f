// Package review is the engine: it takes one change and gives what may be said about it.
//
// The flow is data through stages: select files → analyse → facts → surroundings → {summary ∥ finders} → verifiers →
// anchor, filter, rank. The engine does no I/O of its own; everything outside is one of the small interfaces below, so
// the same engine serves a pull request on GitHub and a diff on a terminal. It promises that nothing is dropped in
// silence: what was not reviewed is an Omission, and a model that fails makes the result partial, never clean.
package review

import (
	"context"
	"time"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// Change is what is reviewed.
type Change struct {
	// Repository is "owner/name", or a local name. It scopes fingerprints.
	Repository string
	// Number of the pull request, 0 for a local change.
	Number int
	// Title, Description and Author are people's words: data, never instructions.
	Title, Description, Author string
	// Base is the merge base, Head the revision; either may be empty for a bare diff.
	Base, Head string
	Diff       diff.Diff
}

// Files reads the repository at the two ends of the change. A file that does not exist is (nil, nil): absence is an
// answer. A local diff without a repository has only what a caller gives it.
type Files interface {
	// Read gives the content of a file on a side of the change.
	Read(ctx context.Context, side diff.Side, path string) ([]byte, error)
}

// Tree is what Files may know besides: which files there are. With it imports are followed to the files they lead to.
type Tree interface {
	// Paths lists the files of the new side. nil means that it is not known.
	Paths(ctx context.Context) ([]string, error)
	// Affordable is how many files beside the change may be read for one review, 0 for as many as help.
	Affordable() int
}

// Symbols is what Files may know besides: where names stand in the whole repository, by a symbol graph or by searching
// a checkout. Its answers are hints that the engine looks up: a site too many costs a read, and nothing rests on it.
type Symbols interface {
	// Definitions gives the lines of the new side that seem to define one of the names, Uses those that hold one of
	// them as a whole word. Both are sorted by path and line and may be cut.
	Definitions(ctx context.Context, names []string) ([]Site, error)
	Uses(ctx context.Context, names []string) ([]Site, error)
}

// Site is a line of the repository that holds a name.
type Site struct {
	Path string
	Line int
	// Text is the line.
	Text string
}

// Parser is the parser tier.
type Parser interface {
	// Analyze answers for every source, in order. A file that cannot be analysed has a Status that says so.
	Analyze(ctx context.Context, sources []syntax.Source) ([]syntax.Analysis, error)
	// CheckSuggestion says what replacing lines start to end of a source does to it; text is the replacement, mended
	// when the verdict is VerdictReindented.
	CheckSuggestion(ctx context.Context, source syntax.Source, start, end int, replacement string) (v syntax.Verdict, text string, err error)
}

// Tier chooses among the configured models.
type Tier string

// The tiers.
const (
	Fast Tier = "fast"
	Main Tier = "main"
)

// Message is one turn of a conversation with a model.
type Message struct {
	// Role is "system" or "user".
	Role    string `json:"role"`
	Content string `json:"content"`
}

// ModelRequest is one question to a model. Its canonical JSON is what a checkpoint is stored under.
type ModelRequest struct {
	Tier     Tier      `json:"tier"`
	Messages []Message `json:"messages"`
	// SchemaName is "summary", "findings" or "verdict"; Schema is its JSON Schema.
	SchemaName      string `json:"schema_name"`
	Schema          string `json:"schema"`
	MaxOutputTokens int    `json:"max_output_tokens"`
	// PromptHash identifies the template; Pass tells repeated questions apart.
	PromptHash string `json:"prompt_hash"`
	Pass       int    `json:"pass"`
}

// Outcome is what came of a question.
type Outcome string

// The outcomes.
const (
	OutcomeOK          Outcome = "ok"
	OutcomeTruncated   Outcome = "truncated"
	OutcomeRefused     Outcome = "refused"
	OutcomeEmpty       Outcome = "empty"
	OutcomeInvalid     Outcome = "invalid"
	OutcomeTooLong     Outcome = "too_long"
	OutcomeRateLimited Outcome = "rate_limited"
	OutcomeUnavailable Outcome = "unavailable"
	// OutcomeBudget is given by the ledger, without a call.
	OutcomeBudget Outcome = "budget"
)

// Usage is what model calls took.
type Usage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	// CostMicros is in millionths of a US dollar, 0 when the price is not known.
	CostMicros int64 `json:"cost_micros"`
	Calls      int   `json:"calls"`
}

// Add adds another usage.
func (u *Usage) Add(o Usage) {
	u.InputTokens += o.InputTokens
	u.OutputTokens += o.OutputTokens
	u.CostMicros += o.CostMicros
	u.Calls += o.Calls
}

// ModelAnswer is what came of a question. Content is to be trusted only with OutcomeOK.
type ModelAnswer struct {
	Outcome    Outcome       `json:"outcome"`
	Content    string        `json:"content"`
	Model      string        `json:"model"`
	Usage      Usage         `json:"usage"`
	RetryAfter time.Duration `json:"retry_after"`
	Detail     string        `json:"detail"`
	// Stored is set when the answer came from a checkpoint and cost nothing now.
	Stored bool `json:"-"`
}

// Model is the model tier, with the checkpoints and the budget in front of it.
type Model interface {
	// Ask asks once. A stored answer is given again without a call. An error is one that a retry of the whole review
	// may mend, or ctx's; everything else is an Outcome.
	Ask(ctx context.Context, q ModelRequest) (ModelAnswer, error)
	// Available says whether a model is configured, and if not, why in one sentence.
	Available(ctx context.Context) (ok bool, why string)
}

// Snippet is code from elsewhere in the repository.
type Snippet struct {
	Path               string
	StartLine, EndLine int
	Header, Text       string
	// Score is the similarity, 0 to 1.
	Score float64
}

// Recall finds code that the change does not show. A review never waits for an index.
type Recall interface {
	// Similar gives code of the repository like the queries, best first, none of it from the changed paths. With no
	// index yet it gives nothing and a reason.
	Similar(ctx context.Context, queries []string, limit int) (found []Snippet, why string, err error)
}

// SecretScanner finds credentials in text.
type SecretScanner interface {
	// Scan gives the 1-based line of the text and the rule of each secret found. It never returns the secret.
	Scan(text string) []Secret
}

// Secret is a credential found in text: where it stands, never what it is.
type Secret struct {
	// Line is its first line, 1-based; EndLine its last, 0 when that is the same.
	Line, EndLine int
	// Start and End are its bytes in the text, 0-based and half-open; both 0 when only the lines are known.
	Start, End int
	// Rule is the detector's id ("aws-access-token"), Description what it says of it.
	Rule, Description string
}

// Stage is where a review is.
type Stage string

// The stages, in order.
const (
	StageLoad     Stage = "load"
	StageAnalyze  Stage = "analyze"
	StageRetrieve Stage = "retrieve"
	StageReview   Stage = "review"
	StageVerify   Stage = "verify"
	StagePublish  Stage = "publish"
)

// Progress is told at each stage's beginning, with how many of its parts are done. Returning an error ends the review
// with that error: this is how a superseded review stops at a boundary.
type Progress func(ctx context.Context, stage Stage, done, total int) error

// Depth says how much looking a review is worth.
type Depth string

// The depths. Every candidate is verified at each of them: no verdict is never a pass.
const (
	// Quick has the fast model look and the main model verify.
	Quick Depth = "quick"
	// Standard has the main model look once and verify.
	Standard Depth = "standard"
	// Deep has the main model look several times, with the files in another order each time. What only one look
	// reported and was not sure of is outvoted; the rest is verified.
	Deep Depth = "deep"
)

// Depths gives all depths, from the least looking to the most.
func Depths() []Depth { return []Depth{Quick, Standard, Deep} }

// PathInstruction is guidance for files that match a glob.
type PathInstruction struct {
	Path         string
	Instructions string
}

// Options are what `.openrabbit.yaml` and the caller decide. The zero value is usable.
type Options struct {
	// Include and Exclude are doublestar globs; a file must match an include (if any) and no exclude.
	Include, Exclude []string
	Instructions     []PathInstruction
	// Guidelines is text from the base branch (AGENTS.md and the like), already cut to size.
	Guidelines string
	// Language of the review's prose, empty for English.
	Language string
	// Depth is how much looking the review is worth, Standard when it is not said.
	Depth Depth
	// MinSeverity is the threshold; findings below it are counted and not shown. Zero means Low.
	MinSeverity finding.Severity
	// MinConfidence is the threshold of confidence, 0 means 0.5. A negative one lets everything through.
	MinConfidence float64
	// MaxComments bounds the comments in the diff; the rest stand in the walkthrough. 0 means 10, negative means none.
	MaxComments int
	// MaxFiles and MaxChangedLines bound what is reviewed; files beyond are omissions. 0 means 150 and 10,000.
	MaxFiles, MaxChangedLines int
	// PromptTokens bounds one prompt. 0 means 16,000.
	PromptTokens int
}

// FileSummary is what one file's change does.
type FileSummary struct {
	Path string `json:"path"`
	What string `json:"what"`
}

// Result is what may be said about a change. It is stored before it is posted.
type Result struct {
	Summary string        `json:"summary"`
	Changes []FileSummary `json:"changes"`
	// Flow are the calls between components that the change adds, empty when it adds hardly any.
	Flow []FlowStep `json:"flow,omitempty"`
	// Risk is the model's one-line risk, empty without a model.
	Risk string `json:"risk"`
	// Findings are ranked, best first. The first Options.MaxComments with an anchor are comments.
	Findings  []finding.Finding  `json:"findings"`
	Omissions []finding.Omission `json:"omissions"`
	// Notes are sentences that the reader must see: "No model is configured: …".
	Notes []string `json:"notes"`
	// Dropped counts candidates by why they were cut: "refuted", "no_verdict", "below_threshold", "repeat", ….
	Dropped map[string]int `json:"dropped"`
	// FilesReviewed of FilesChanged were looked at.
	FilesReviewed int      `json:"files_reviewed"`
	FilesChanged  int      `json:"files_changed"`
	Partial       bool     `json:"partial"`
	PartialReason string   `json:"partial_reason,omitempty"`
	Usage         Usage    `json:"usage"`
	Models        []string `json:"models,omitempty"`
	// Prompts name the templates that were used, with the hash of their wording: "finder-0123456789abcdef".
	Prompts []string `json:"prompts,omitempty"`
	// MaxComments is the cap that was in force.
	MaxComments int `json:"max_comments"`
}

// ReasonNoModel is the PartialReason of a review that was made without a model because none is configured.
const ReasonNoModel = "no model is configured"

// State is the state of a review.
type State string

// The states. The last seven are ends; a review has exactly one of them in the end.
const (
	Queued     State = "queued"
	Running    State = "running"
	Clean      State = "clean"
	Findings   State = "findings"
	Partial    State = "partial"
	Skipped    State = "skipped"
	Superseded State = "superseded"
	Cancelled  State = "cancelled"
	Failed     State = "failed"
)

// Terminal says whether the state is an end.
func (s State) Terminal() bool {
	switch s {
	case Clean, Findings, Partial, Skipped, Superseded, Cancelled, Failed:
		return true
	case Queued, Running:
		return false
	default:
		return false
	}
}

// State gives the end state of a review with this result: partial before findings before clean.
func (r *Result) State() State {
	switch {
	case r.Partial:
		return Partial
	case len(r.Findings) > 0:
		return Findings
	default:
		return Clean
	}
}
