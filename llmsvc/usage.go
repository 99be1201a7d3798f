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
// our own.
func (u *usage) add(info ModelInfo, said openai.Usage, input, output int) {
	step := usage{input: int64(said.PromptTokens), output: int64(said.CompletionTokens)}
	if d := said.PromptTokensDetails; d != nil {
		step.cached = int64(d.CachedTokens)
	}
	believable := step.input > 0 && step.input < maxSaneTokens && step.output >= 0 && step.output < maxSaneTokens &&
		(step.output > 0 || output == 0)
	if !believable {
		step = usage{input: int64(input), output: int64(output), estimated: true}
	}
	step.cached = min(max(step.cached, 0), step.input)
	u.sum(info, step)
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
