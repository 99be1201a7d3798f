package prompt

// The forms of the answers. They keep to what servers with strict structured output accept: every property is
// required, no other is allowed, what may be missing is nullable, and there are no bounds that some refuse. Code checks
// the rest.
const (
	// SummarySchema is the form of a summary.
	SummarySchema = `{"type":"object","additionalProperties":false,"required":["summary","changes","risk"],"properties":{` +
		`"summary":{"type":"string"},` +
		`"changes":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["path","what"],"properties":{` +
		`"path":{"type":"string"},"what":{"type":"string"}}}},` +
		`"risk":{"type":"string"}}}`

	// FindingsSchema is the form of a finder's answer.
	FindingsSchema = `{"type":"object","additionalProperties":false,"required":["findings"],"properties":{` +
		`"findings":{"type":"array","items":{"type":"object","additionalProperties":false,` +
		`"required":["path","quote","start_line","end_line","severity","category","title","body","suggestion","confidence"],"properties":{` +
		`"path":{"type":"string"},` +
		`"quote":{"type":"string","description":"the code, verbatim"},` +
		`"start_line":{"type":"integer"},"end_line":{"type":"integer"},` +
		`"severity":{"type":"string","enum":["critical","high","medium","low","info"]},` +
		`"category":{"type":"string","enum":["bug","security","performance","concurrency","api","test","maintainability"]},` +
		`"title":{"type":"string"},"body":{"type":"string"},` +
		`"suggestion":{"type":["string","null"],"description":"replaces exactly the quoted lines; null for none"},` +
		`"confidence":{"type":"number","description":"0 to 1"}}}}}}`

	// VerdictSchema is the form of a verifier's answer.
	VerdictSchema = `{"type":"object","additionalProperties":false,"required":["verdict","severity","quote","reason"],"properties":{` +
		`"verdict":{"type":"string","enum":["keep","drop","lower"]},` +
		`"severity":{"type":["string","null"],"enum":["critical","high","medium","low","info",null]},` +
		`"quote":{"type":"string","description":"the code that proves or refutes it, verbatim"},` +
		`"reason":{"type":"string"}}}`

	// MatchesSchema is the form of a judge's answer.
	MatchesSchema = `{"type":"object","additionalProperties":false,"required":["matches"],"properties":{` +
		`"matches":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["golden","finding"],"properties":{` +
		`"golden":{"type":"integer"},"finding":{"type":"integer"}}}}}}`
)
