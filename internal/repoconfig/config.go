// Package repoconfig reads `.openrabbit.yaml`, the one file with which a repository says how it wants to be reviewed.
//
// It promises that a mistake costs only the key it is made in: the key keeps its default, the rest of the file counts,
// and a Problem with its line says what is wrong. No key holds an address, a path of the machine or a credential, so
// nothing a repository writes can reach the host. Any bytes are safe to parse.
package repoconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// FileName is where the file stands: at the root of the base branch.
const FileName = ".openrabbit.yaml"

// Config is what the file says, with the defaults for what it does not say. Use Default or Parse: the zero value
// switches reviews off.
type Config struct {
	// Enabled switches reviews of the whole repository on (the default) or off. Key: enabled.
	Enabled bool
	// Language is the language the review is written in, as a name or a tag ("German", "pt-BR"). Empty is English.
	// Key: language.
	Language string
	// Reviews says what is reviewed and what is shown. Key: reviews.
	Reviews Reviews
}

// Reviews says what is reviewed and what is shown.
type Reviews struct {
	// Drafts also reviews pull requests that are drafts. Off by default: they are reviewed once they are ready.
	// Key: reviews.drafts.
	Drafts bool
	// Labels choose pull requests by their labels. Key: reviews.labels.
	Labels Labels
	// BaseBranches are globs; a pull request into another branch is skipped. Empty means every branch.
	// Key: reviews.base_branches.
	BaseBranches []string
	// Include and Exclude are globs of paths from the root, as `**/*.go`. A file is reviewed when it matches an
	// include, or there is none, and no exclude. Key: reviews.path_filters, where an exclude begins with "!".
	Include, Exclude []string
	// Instructions are guidance for the files that match a glob. Key: reviews.path_instructions.
	Instructions []Instruction
	// Guidelines are files of the base branch that say how code is written here; the reviewer is given what they say.
	// Default: AGENTS.md, CLAUDE.md, CONTRIBUTING.md, those that are there. Key: reviews.guidelines.
	Guidelines []string
	// Depth is how much looking a review is worth: quick, standard (the default) or deep. Key: reviews.depth.
	Depth review.Depth
	// MinSeverity hides findings that are less severe. Default: low. Key: reviews.min_severity.
	MinSeverity finding.Severity
	// MinConfidence hides findings the reviewer is less sure of, from 0 (show all) to 1. Default: 0.5.
	// Key: reviews.min_confidence.
	MinConfidence float64
	// MaxComments bounds the comments on lines, 0 to 50; the other findings stand in the walkthrough. Default: 10.
	// Key: reviews.max_comments.
	MaxComments int
	// MaxFiles bounds the files reviewed in one pull request, 1 to 1000. Default: 150. Key: reviews.max_files.
	MaxFiles int
	// FailCheckOn fails the check run when a finding is at least so severe. Not said (the default, "never") leaves it
	// neutral. Key: reviews.fail_check_on.
	FailCheckOn finding.Severity
}

// Labels choose pull requests by their labels. Case does not matter.
type Labels struct {
	// Require reviews only pull requests that have at least one of these. Empty requires none.
	// Key: reviews.labels.require.
	Require []string
	// Ignore skips pull requests that have one of these; it wins over Require. Key: reviews.labels.ignore.
	Ignore []string
}

// Instruction is guidance for the files that match a glob.
type Instruction struct {
	// Path is a glob from the root. Key: path.
	Path string
	// Instructions is prose for the reviewer, at most 8 KiB. Key: instructions.
	Instructions string
}

// Default is the configuration of a repository without the file.
func Default() Config {
	return Config{
		Enabled: true,
		Reviews: Reviews{
			Guidelines:    review.GuidelineFiles(),
			Depth:         review.Standard,
			MinSeverity:   finding.Low,
			MinConfidence: 0.5,
			MaxComments:   10,
			MaxFiles:      150,
		},
	}
}

// Options gives what the engine needs to know.
func (c Config) Options() review.Options {
	o := review.Options{
		Include:       c.Reviews.Include,
		Exclude:       c.Reviews.Exclude,
		Language:      c.Language,
		Depth:         c.Reviews.Depth,
		MinSeverity:   c.Reviews.MinSeverity,
		MinConfidence: c.Reviews.MinConfidence,
		MaxComments:   c.Reviews.MaxComments,
		MaxFiles:      c.Reviews.MaxFiles,
	}
	// The engine reads 0 as "not said" and a negative number as "none".
	if o.MinConfidence == 0 {
		o.MinConfidence = -1
	}
	if o.MaxComments == 0 {
		o.MaxComments = -1
	}
	for _, i := range c.Reviews.Instructions {
		o.Instructions = append(o.Instructions, review.PathInstruction{Path: i.Path, Instructions: i.Instructions})
	}
	return o
}

// PullRequest is what the file can decide on before anything is read.
type PullRequest struct {
	Draft  bool
	Labels []string
	// Base is the name of the branch the pull request goes into.
	Base string
}

// Skip says why a pull request is not to be reviewed, or "" when it is. The reason is a phrase for a reader.
func (c Config) Skip(p PullRequest) string {
	r := c.Reviews
	if !c.Enabled {
		return "reviews are switched off in " + FileName
	}
	if p.Draft && !r.Drafts {
		return "it is a draft"
	}
	for _, l := range p.Labels {
		if containsFold(r.Labels.Ignore, l) {
			return fmt.Sprintf("the label %q is ignored in %s", l, FileName)
		}
	}
	if len(r.Labels.Require) > 0 && !slices.ContainsFunc(p.Labels, func(l string) bool { return containsFold(r.Labels.Require, l) }) {
		return fmt.Sprintf("it has none of the labels that %s requires: %s", FileName, strings.Join(r.Labels.Require, ", "))
	}
	if len(r.BaseBranches) > 0 && !slices.ContainsFunc(r.BaseBranches, func(g string) bool { return doublestar.MatchUnvalidated(g, p.Base) }) {
		return fmt.Sprintf("the base branch %q is not among the base_branches of %s", p.Base, FileName)
	}
	return ""
}

func containsFold(list []string, want string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, want) })
}
