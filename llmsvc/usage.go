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

// add counts one answered request. What the server says of it is believed when it is possible; else the numbers are
// our own estimates, input and output.
func (u *usage) add(info ModelInfo, said openai.Usage, input, output int) {
	step := usage{input: int64(said.PromptTokens), output: int64(said.CompletionTokens)}
	if d := said.PromptTokensDetails; d != nil {
		step.cached = int64(d.CachedTokens)
	}
	if !believable(step.input, input) || !believable(step.output, output) || step.input == 0 {
		step = usage{input: int64(input), output: int64(output), estimated: true}
	}
	step.cached = min(max(step.cached, 0), step.input)
	u.sum(info, step)
}

// believable says whether a number of tokens can be that of a text with so many by our estimate. A server that makes
// its answers look cheap must not get around a budget.
func believable(said int64, ours int) bool {
	const small, shrinks = 1000, 10
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
