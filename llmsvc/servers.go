package llmsvc

import (
	"net/url"
	"slices"
	"strings"
)

// server is what is known of one kind of OpenAI-compatible server before it is asked anything: the row of a table that
// spares the first questions a refusal. What a row does not say, or says wrongly for a model, is found out by asking.
// docs/models.md is the same table for people; no row was run by us against the live server.
type server struct {
	// name is what OPENRABBIT_MODEL_SERVER takes.
	name string
	// hosts are where it is known to be: a host name, ".suffix" for those below one, or ":port" on loopback.
	hosts []string
	// limit is the name of the output limit.
	limit string
	// start is what it is known to lack.
	start traits
	// azure: the model is a deployment in the path, the key goes into a header of its own, and there is an api-version.
	azure bool
	// noEmbeddings: it has no embeddings at all.
	noEmbeddings bool
	// docs is the documentation that the row rests on.
	docs []string
}

// knownServers is the table.
func knownServers() []server {
	return []server{{
		name: "openai", hosts: []string{"api.openai.com"}, limit: fieldMaxCompletionTokens,
		docs: []string{"https://platform.openai.com/docs/api-reference/chat/create", "https://platform.openai.com/docs/guides/structured-outputs",
			"https://platform.openai.com/docs/api-reference/embeddings/create"},
	}, {
		name: "azure", hosts: []string{".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"}, limit: fieldMaxCompletionTokens, azure: true,
		docs: []string{"https://learn.microsoft.com/azure/ai-services/openai/reference"},
	}, {
		name: "groq", hosts: []string{"api.groq.com"}, limit: fieldMaxCompletionTokens, noEmbeddings: true,
		docs: []string{"https://console.groq.com/docs/api-reference", "https://console.groq.com/docs/structured-outputs", "https://console.groq.com/docs/rate-limits"},
	}, {
		name: "gemini", hosts: []string{"generativelanguage.googleapis.com"}, limit: fieldMaxTokens, start: traits{noSeed: true, maxBatch: 100},
		docs: []string{"https://ai.google.dev/gemini-api/docs/openai"},
	}, {
		// response_format and seed are taken and ignored: the form has to be asked for in words.
		name: "anthropic", hosts: []string{"api.anthropic.com"}, limit: fieldMaxTokens, start: traits{format: byPrompt, noSeed: true}, noEmbeddings: true,
		docs: []string{"https://platform.claude.com/docs/en/api/openai-sdk"},
	}, {
		name: "ollama", hosts: []string{":11434"}, limit: fieldMaxTokens,
		docs: []string{"https://docs.ollama.com/api/openai-compatibility"},
	}, {
		name: "vllm", limit: fieldMaxCompletionTokens,
		docs: []string{"https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html"},
	}, {
		name: "llamacpp", limit: fieldMaxTokens, start: traits{noDimensions: true},
		docs: []string{"https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md"},
	}, {
		name: "litellm", hosts: []string{":4000"}, limit: fieldMaxTokens,
		docs: []string{"https://docs.litellm.ai/docs/completion/input", "https://docs.litellm.ai/docs/completion/drop_params"},
	}}
}

// serverNames are what a configuration may say, "other" being a server of which nothing is known.
func serverNames() []string {
	names := []string{"other"}
	for _, s := range knownServers() {
		names = append(names, s.name)
	}
	slices.Sort(names)
	return names
}

// serverOf finds the row for a server: by the name that the configuration says, else by its address.
func serverOf(name, baseURL string) server {
	u, err := url.Parse(baseURL)
	if err != nil {
		u = &url.URL{}
	}
	for _, s := range knownServers() {
		if name == s.name || name == "" && slices.ContainsFunc(s.hosts, func(host string) bool { return isAt(u, host) }) {
			return s
		}
	}
	return server{name: "other", limit: fieldMaxTokens}
}

// isAt says whether a URL leads to a host of the table.
func isAt(u *url.URL, host string) bool {
	switch {
	case strings.HasPrefix(host, ":"):
		return isLoopback(u.Hostname()) && ":"+u.Port() == host
	case strings.HasPrefix(host, "."):
		return strings.HasSuffix(strings.ToLower(u.Hostname()), host)
	default:
		return strings.EqualFold(u.Hostname(), host)
	}
}

func isLoopback(host string) bool {
	switch host {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}
