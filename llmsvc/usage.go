package llmsvc

import (
	openai "github.com/sashabaranov/go-openai"
)

// maxSaneTokens is more than any one request can have used.
const maxSaneTokens = 100_000_000

// usage is what calls took.
type usage struct {
	input, cached, output int64
	// cost is in millionths of a US dollar.
	cost      int64
	requests  int
	estimated bool
}

// frameTokens is more than what a server puts around a conversation, its template and the like.
const frameTokens = 4096

// guess is what we think that a request took, and the most that it can have taken: a token has a byte at least, and an
// answer ends at its limit. 0 is no most.
type guess struct {
	input, inputMost   int
	output, outputMost int
}

// add counts one answered request. What the server says of it is believed when it is possible; else the numbers are
// our own. A server that claims more than there can be has its answer counted at the limit.
func (u *usage) add(info ModelInfo, said openai.Usage, g guess) {
	step := usage{input: int64(said.PromptTokens), output: int64(said.CompletionTokens)}
	if d := said.PromptTokensDetails; d != nil {
		step.cached = int64(d.CachedTokens)
	}
	tooMuch := g.outputMost > 0 && step.output > int64(g.outputMost)+int64(g.outputMost)/10+64
	if tooMuch || !believable(step.input, g.input) || !believable(step.output, g.output) || step.input == 0 ||
		g.inputMost > 0 && step.input > int64(g.inputMost) {
		step = usage{input: int64(g.input), output: int64(g.output), estimated: true}
		if tooMuch {
			step.output = int64(max(g.output, g.outputMost))
		}
	}
	step.cached = min(max(step.cached, 0), step.input)
	u.sum(info, step)
}

// believable says whether a number of tokens can be that of a text with so many by our estimate. A server that makes
// its answers look cheap must not get around a budget.
func believable(said int64, ours int) bool {
	// Ours takes three bytes for a token; no text has twelve.
	const small, shrinks = 64, 4
	switch {
	case said < 0 || said > maxSaneTokens:
		return false
	case ours > small:
		return said >= int64(ours)/shrinks
	default:
		return said > 0 || ours == 0
	}
}

// lost counts the input of a request that the server may have worked on without an answer that arrived.
func (u *usage) lost(info ModelInfo, input int) {
	u.sum(info, usage{input: int64(input), estimated: true})
}

func (u *usage) sum(info ModelInfo, step usage) {
	u.input += step.input
	u.cached += step.cached
	u.output += step.output
	u.cost += info.cost(step)
	u.estimated = u.estimated || step.estimated
}
