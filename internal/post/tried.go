package post

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// key names a comment for the record: by its place and what it says, not by its index, which may differ in another
// attempt.
func key(c Comment) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s", c.Anchor, c.Body))
	return hex.EncodeToString(sum[:8])
}

// recall puts a comment into the form that an earlier attempt came to.
func (f *form) recall(tried []Tried) {
	for _, t := range tried {
		if t.Comment != f.key || t.Form < 0 || t.Form >= len(f.variants) {
			continue
		}
		f.at, f.cleared, f.refused = t.Form, t.Cleared, f.refused || t.Refused
	}
}

// learn writes down what is known of each comment by now. Where nothing is, there is nothing to write.
func (c *composition) learn(ctx context.Context) error {
	var tried []Tried
	for i, f := range c.forms {
		if i < MaxComments && (f.at > 0 || f.cleared || f.refused) {
			tried = append(tried, Tried{Comment: f.key, Form: f.at, Cleared: f.cleared, Refused: f.refused})
		}
	}
	if len(tried) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := c.Record.Learn(ctx, tried); err != nil {
		return fmt.Errorf("record what was refused: %w", err)
	}
	return nil
}
