// Package llmsvc is the model tier: the only holder of model keys, the only user of the OpenAI client, and the one
// place where a model's server is retried.
//
// It speaks to any OpenAI-compatible server and finds out by itself what that server lacks (response_format, a name of
// the output limit, temperature, system messages, dimensions): a refusal is answered by asking again without the
// parameter, and remembered for as long as the process lives once that worked.
//
// It promises:
//   - An answer with OutcomeOK is valid under the schema that was asked for; all else is a typed outcome.
//   - One retry loop: at most Config.Attempts requests fail before a call gives up, whatever the reason, and none is
//     started that cannot end before the caller's deadline. A breaker per model keeps a broken server from being asked.
//   - Nothing a server sends is unbounded: bodies, headers, waits and error texts have limits; redirects are not
//     followed and tools never run.
//   - A key is in no error, log or metric, and no text of a request in any detail.
//
// It stores nothing: budgets and checkpoints are the orchestrator's.
//
// The flow of Complete:
//
//	question ─▶ complete ─▶ chat (one request's form) ─▶ persist (the retry loop) ─▶ attempt ─▶ doer ─▶ server
//	               ▲  repair, validate, one re-ask            ▲ learn what is lacking    ▲ slot, breaker, timeout
package llmsvc
