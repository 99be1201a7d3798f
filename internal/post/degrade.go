package post

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxDrafts bounds the drafts of one publication. GitHub allows 80 new things a minute, and each draft may take a
// second; what is still under suspicion then goes to the walkthrough.
const maxDrafts = 40

// form is a comment in the form that is tried now.
type form struct {
	key      string
	variants []Comment
	at       int
	// cleared is set once GitHub took this very form.
	cleared bool
	refused bool
}

func (f *form) comment() Comment { return f.variants[f.at] }

// degrade takes the next plainer form; after the last the comment is refused.
func (f *form) degrade() {
	if f.at+1 < len(f.variants) {
		f.at++
		return
	}
	f.refused = true
}

// variants gives the forms of a comment from rich to plain: its body, its fallbacks, and then the last line alone.
func variants(c Comment) []Comment {
	out := make([]Comment, 0, len(c.Fallbacks)+2)
	out = append(out, Comment{Anchor: c.Anchor, Body: c.Body})
	for _, b := range c.Fallbacks {
		out = append(out, Comment{Anchor: c.Anchor, Body: b})
	}
	plain := out[len(out)-1]
	// A suggestion replaces the lines of its anchor: on another anchor it would replace others.
	if c.Anchor.Start != c.Anchor.End && !strings.Contains(plain.Body, "```suggestion") {
		plain.Anchor.Start = plain.Anchor.End
		out = append(out, plain)
	}
	return out
}

// made is a draft that GitHub took.
type made struct {
	Result
	// left is set when what stands there is a visible body that a refused request left behind.
	left bool
}

// composition tries forms until GitHub takes all that are left.
type composition struct {
	*publication
	forms []form
	// drafts counts the requests.
	drafts int
	// met is set at the first refusal.
	met bool
	// proved is set once GitHub took the body without comments: then a refusal is about comments.
	proved bool
	// leaves is set once a refused request was seen to leave a draft behind, which stands in the way of the next.
	leaves bool
	// visible is the id of a submitted review that a refused request left behind.
	visible int64
}

// compose makes the pending review. A refused comment degrades alone, and never the review.
func (p *publication) compose(ctx context.Context) (made, error) {
	c := &composition{publication: p}
	for i, comment := range p.draft.Comments {
		f := form{key: key(comment), variants: variants(comment), refused: i >= MaxComments}
		f.recall(p.tried)
		c.forms = append(c.forms, f)
	}
	for {
		live := c.live()
		if len(live) == 0 && p.draft.Body == "" {
			return made{Result: c.outcome(0)}, nil
		}
		id, err := c.draftOf(ctx, live)
		if err == nil {
			return made{Result: c.outcome(id)}, nil
		}
		if !refused(err) {
			return made{}, c.moved(ctx, err)
		}
		if named := blamed(err, live); len(named) > 0 {
			if _, err := c.sweep(ctx); err != nil {
				return made{}, err
			}
			for _, i := range named {
				c.forms[i].degrade()
			}
			if err := c.learn(ctx); err != nil {
				return made{}, err
			}
			if c.visible == 0 {
				continue
			}
		}
		again, err := c.refusal(ctx, err)
		if c.visible != 0 {
			return made{Result: p.leftBehind(c.visible), left: true}, nil
		}
		if err != nil {
			return made{}, err
		}
		if again {
			continue
		}
		err = c.sift(ctx, live)
		if lerr := c.learn(ctx); lerr != nil {
			return made{}, lerr
		}
		if err != nil {
			return made{}, err
		}
	}
}

// moved gives ErrSuperseded or ErrClosed where that is the reason why something is gone.
func (c *composition) moved(ctx context.Context, err error) error {
	if !gone(err) {
		return err
	}
	if now := c.current(ctx); errors.Is(now, ErrSuperseded) || errors.Is(now, ErrClosed) {
		return now
	}
	return err
}

// blamed gives the comments that a refusal of a request with set names.
func blamed(err error, set []int) []int {
	var e Blame
	if !errors.As(err, &e) {
		return nil
	}
	var out []int
	for _, i := range e.RefusedComments() {
		if i >= 0 && i < len(set) && !slices.Contains(out, set[i]) {
			out = append(out, set[i])
		}
	}
	return out
}

// leftBehind is the result when only a body became visible.
func (p *publication) leftBehind(id int64) Result {
	return Result{GitHubReviewID: id, Refused: p.all()}
}

// refusal looks at what a refused request left behind and finds out whether comments are to blame at all. It says
// whether the same request should simply be made again.
func (c *composition) refusal(ctx context.Context, cause error) (again bool, err error) {
	if c.visible != 0 {
		return false, nil
	}
	if c.proved {
		return false, c.clear(ctx)
	}
	first, discarded := !c.met, 0
	c.met = true
	for wait := range c.waits() {
		if err := c.Pause(ctx, wait); err != nil {
			return false, err
		}
		n, err := c.sweep(ctx)
		if err != nil || c.visible != 0 {
			return false, err
		}
		discarded += n
		if first && wait == 0 && n > 0 {
			// A draft that stood in the way may have been the whole reason.
			return true, nil
		}
		// What refuses even the bare body may be a draft that the list does not show yet.
		ok, err := c.take(ctx, nil)
		if err != nil {
			return false, err
		}
		if ok {
			c.proved, c.leaves = true, discarded > 0
			// So may one that showed only after a while: nobody is blamed before the same was asked once more.
			return first && discarded > 0, nil
		}
	}
	if err := c.current(ctx); err != nil {
		return false, err
	}
	return false, fmt.Errorf("draft a review of %s, with and without comments: %w", c.draft.Head, cause)
}

// live gives the comments that are not refused.
func (c *composition) live() []int {
	var out []int
	for i := range c.forms {
		if !c.forms[i].refused {
			out = append(out, i)
		}
	}
	return out
}

func (c *composition) refusedNow() []int {
	var out []int
	for i := range c.forms {
		if c.forms[i].refused {
			out = append(out, i)
		}
	}
	return out
}

// outcome is the result with every comment that is left.
func (c *composition) outcome(id int64) Result {
	r := c.result(id, c.refusedNow())
	for _, i := range r.Posted {
		if c.forms[i].at > 0 {
			r.Degraded = append(r.Degraded, i)
		}
	}
	return r
}
