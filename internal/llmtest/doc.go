// Package llmtest is a stand-in for a model: an OpenAI-compatible server on loopback that answers from a script.
// Tests, the demo and the fault harness use it where a real deployment has a model server.
//
// It promises to behave: it serves chat completions, embeddings and the list of models; it refuses what a real server
// refuses (a missing key, an empty conversation, a schema that is not one, a parameter it was told to lack); it holds
// its own scripted answers against the schema of the request, so that a script cannot drift from the product; and it
// can misbehave on demand: wrong status codes, waits, hangs, cut connections, foreign bytes.
//
// A script is a list of rules. The first rule that matches answers; a rule with times: N is used up after N answers,
// so rules in a row make a sequence:
//
//	{"rules": [
//	  {"match": {"schema": "findings"}, "status": 429, "retry_after": 2, "times": 1},
//	  {"match": {"schema": "findings", "contains": ["db.Query("]}, "answer": {"findings": [{"path": "…"}]}},
//	  {"match": {"model": "slow"}, "delay_ms": 5000}
//	]}
//
// Without a matching rule the answer depends on the schema's name: a neutral summary, no findings, a verdict that
// keeps what it was shown, and for other schemas the smallest instance.
//
// Embeddings are hashed bags of the words inside identifiers: the same text has the same vector, and texts that share
// words are near each other.
package llmtest
