package llmsvc

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/rpc"
)

const (
	defaultAddr         = "127.0.0.1:50052"
	defaultAdminAddr    = "127.0.0.1:9093"
	defaultClients      = "orchestrator,openrabbit"
	defaultBaseURL      = "https://api.openai.com/v1"
	defaultTimeout      = 120 * time.Second
	fallbackTimeout     = 55 * time.Second
	defaultConcurrency  = 8
	defaultAttempts     = 3
	defaultOutput       = 4096
	defaultReasoning    = 4096
	defaultDimensions   = 256
	defaultBatch        = 128
	maxTexts            = 2048
	maxPerMinute        = 1 << 30
	maxBatchTokens      = 250_000
	maxVectorBytes      = 7 << 20
	maxMessages         = 256
	maxOutputTokensAsk  = 1 << 20
	maxDimensionsWanted = 8192
)

// AdminOff as Config.AdminAddr serves no admin endpoints: somebody else shows the registry.
const AdminOff = "off"

// Config is how the model tier is set up. The zero value serves and has no model.
type Config struct {
	// Addr is where gRPC is served. Empty means 127.0.0.1:50052.
	Addr string
	// AdminAddr is where /metrics, /healthz, /readyz and pprof are served. Empty means 127.0.0.1:9093, AdminOff none.
	AdminAddr string
	// Mesh is how LLMService is protected, Clients the names in the certificates of those who may call it; empty means
	// orchestrator and openrabbit.
	Mesh    rpc.Mesh
	Clients []string

	// Endpoint is the model server. A model is configured when its Key or BaseURL is set; an empty BaseURL is OpenAI's.
	Endpoint
	// Fast, Main and Embed are the names of the tiers' models. Empty means OpenAI's defaults when BaseURL is OpenAI's;
	// else Fast is Main, and without Embed there are no embeddings.
	Fast, Main, Embed string
	// FallbackModel answers when Fast or Main cannot; empty means none does. It is at Fallback if that has a BaseURL,
	// else at Endpoint. Embeddings have no fallback: vectors of two models don't compare.
	FallbackModel string
	Fallback      Endpoint
	// Models is what is known of models, beside the built-in table. See ParseModels.
	Models map[string]ModelInfo

	// Timeout bounds one HTTP request. 0 means 120 s, and 55 s with a fallback, which else would get no time.
	Timeout time.Duration
	// Attempts is how many requests of one call may fail before it gives up. 0 means 3.
	Attempts int
	// Concurrency is how many requests are on their way to an endpoint at once; more wait in turn. 0 means 8.
	Concurrency int
	// RequestsPerMinute and TokensPerMinute are the most that an endpoint gets in any minute. 0 means no ceiling.
	RequestsPerMinute, TokensPerMinute int
	// OutputTokens is the limit of an answer whose question names none. 0 means 4096.
	OutputTokens int
	// ReasoningTokens is the room for thinking, added to the limit for models that reason. 0 means 4096.
	ReasoningTokens int
	// Dimensions is the length of embeddings when a request names none. 0 means 256.
	Dimensions int
	// EmbedBatch is how many texts go into one embeddings request, at most 2048. 0 means 128: the answer is JSON, and
	// 128 vectors of 4096 components fit the bound on bodies.
	EmbedBatch int
}

// ConfigFromEnv reads the configuration; complaints stay in env.
func ConfigFromEnv(env *config.Env) Config {
	c := Config{
		Addr:      env.String("OPENRABBIT_LLM_ADDR", defaultAddr),
		AdminAddr: env.String("OPENRABBIT_LLM_ADMIN_ADDR", defaultAdminAddr),
		Mesh:      rpc.MeshFromEnv(env),
		Clients:   strings.Split(env.String("OPENRABBIT_LLM_CLIENTS", defaultClients), ","),
		Endpoint: Endpoint{
			Key: env.Secret("OPENAI_API_KEY"), BaseURL: env.URL("OPENAI_BASE_URL", ""),
			Server:     env.OneOf("OPENRABBIT_MODEL_SERVER", "", append(serverNames(), "")...),
			APIVersion: env.String("OPENRABBIT_MODEL_API_VERSION", ""),
		},
		FallbackModel: env.String("OPENRABBIT_MODEL_FALLBACK", ""),
		Fallback: Endpoint{
			Key: env.Secret("OPENRABBIT_FALLBACK_API_KEY"), BaseURL: env.URL("OPENRABBIT_FALLBACK_BASE_URL", ""),
			Server:     env.OneOf("OPENRABBIT_FALLBACK_SERVER", "", append(serverNames(), "")...),
			APIVersion: env.String("OPENRABBIT_FALLBACK_API_VERSION", ""),
		},
		Fast:            env.String("OPENRABBIT_MODEL_FAST", ""),
		Main:            env.String("OPENRABBIT_MODEL_MAIN", ""),
		Embed:           env.String("OPENRABBIT_MODEL_EMBED", ""),
		Concurrency:     env.Int("OPENRABBIT_MODEL_CONCURRENCY", defaultConcurrency, 1, 1024),
		OutputTokens:    env.Int("OPENRABBIT_MODEL_OUTPUT_TOKENS", defaultOutput, 16, maxOutputTokensAsk),
		ReasoningTokens: env.Int("OPENRABBIT_MODEL_REASONING_TOKENS", defaultReasoning, 1, maxOutputTokensAsk),
		Dimensions:      env.Int("OPENRABBIT_MODEL_EMBED_DIMENSIONS", defaultDimensions, 1, maxDimensionsWanted),
		EmbedBatch:      env.Int("OPENRABBIT_MODEL_EMBED_BATCH", defaultBatch, 1, maxTexts),

		RequestsPerMinute: env.Int("OPENRABBIT_MODEL_REQUESTS_PER_MINUTE", 0, 0, maxPerMinute),
		TokensPerMinute:   env.Int("OPENRABBIT_MODEL_TOKENS_PER_MINUTE", 0, 0, maxPerMinute),
	}
	if c.Timeout = env.Duration("OPENRABBIT_MODEL_TIMEOUT", c.usualTimeout()); c.Timeout == 0 {
		env.Complain("OPENRABBIT_MODEL_TIMEOUT", "must be more than nothing")
	}
	models, err := ParseModels(env.String("OPENRABBIT_MODEL_PRICES", ""))
	if err != nil {
		env.Complain("OPENRABBIT_MODEL_PRICES", "%v", err)
	}
	c.Models = models
	c.Endpoint.complain(env, "OPENAI_API_KEY", "OPENAI_BASE_URL")
	c.Fallback.complain(env, "OPENRABBIT_FALLBACK_API_KEY", "OPENRABBIT_FALLBACK_BASE_URL")
	switch {
	case c.FallbackModel == "" && (c.Fallback.BaseURL != "" || !c.Fallback.Key.IsZero()):
		env.Complain("OPENRABBIT_MODEL_FALLBACK", "is required with OPENRABBIT_FALLBACK_BASE_URL or OPENRABBIT_FALLBACK_API_KEY: name the model to fall back to")
	case c.FallbackModel != "" && !c.configured():
		env.Complain("OPENRABBIT_MODEL_FALLBACK", "falls back from nothing: set OPENAI_API_KEY or OPENAI_BASE_URL too")
	case c.Fallback.BaseURL == "" && !c.Fallback.Key.IsZero():
		env.Complain("OPENRABBIT_FALLBACK_BASE_URL", "is required with OPENRABBIT_FALLBACK_API_KEY: a key goes to the server it is for and to no other")
	}
	if c.BaseURL != "" && !c.isOpenAI() && c.Main == "" {
		env.Complain("OPENRABBIT_MODEL_MAIN", "is required with OPENAI_BASE_URL: name the model that server has "+
			"(OPENRABBIT_MODEL_FAST and OPENRABBIT_MODEL_EMBED may be named too)")
	}
	return c
}

// complain says what cannot be an endpoint.
func (e Endpoint) complain(env *config.Env, key, base string) {
	if strings.ContainsFunc(e.Key.Reveal(), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		env.Complain(key, "holds white space or a control character: it cannot be a key")
	}
	if u, err := url.Parse(e.BaseURL); err == nil && u.RawQuery != "" {
		env.Complain(base, "must not hold a query (?)")
	}
}

// usualTimeout leaves a fallback time within what callers give a call.
func (c Config) usualTimeout() time.Duration {
	if c.FallbackModel != "" {
		return fallbackTimeout
	}
	return defaultTimeout
}

// configured says whether there is a model server to ask.
func (c Config) configured() bool { return !c.Key.IsZero() || c.BaseURL != "" }

// isOpenAI says whether the server is OpenAI itself, whose models we know.
func (c Config) isOpenAI() bool {
	if c.BaseURL == "" {
		return true
	}
	u, err := url.Parse(c.BaseURL)
	return err == nil && u.Hostname() == "api.openai.com"
}

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	c.Addr = cmp.Or(c.Addr, defaultAddr)
	c.AdminAddr = cmp.Or(c.AdminAddr, defaultAdminAddr)
	if len(c.Clients) == 0 {
		c.Clients = strings.Split(defaultClients, ",")
	}
	c.Timeout = cmp.Or(c.Timeout, c.usualTimeout())
	c.Attempts = cmp.Or(c.Attempts, defaultAttempts)
	c.Concurrency = cmp.Or(c.Concurrency, defaultConcurrency)
	c.OutputTokens = cmp.Or(c.OutputTokens, defaultOutput)
	c.ReasoningTokens = cmp.Or(c.ReasoningTokens, defaultReasoning)
	c.Dimensions = cmp.Or(c.Dimensions, defaultDimensions)
	c.EmbedBatch = min(cmp.Or(c.EmbedBatch, defaultBatch), maxTexts)
	if c.configured() && c.isOpenAI() {
		c.Fast = cmp.Or(c.Fast, defaultFast)
		c.Main = cmp.Or(c.Main, defaultMain)
		c.Embed = cmp.Or(c.Embed, defaultEmbed)
	}
	c.Main = cmp.Or(c.Main, c.Fast)
	c.Fast = cmp.Or(c.Fast, c.Main)
	if c.configured() {
		c.BaseURL = strings.TrimRight(cmp.Or(c.BaseURL, defaultBaseURL), "/")
	}
	c.Fallback.BaseURL = strings.TrimRight(c.Fallback.BaseURL, "/")
	return c
}

// check gives what New refuses.
func (c Config) check() error {
	var problems []error
	for _, number := range []struct {
		name  string
		value int64
	}{
		{"Timeout", int64(c.Timeout)}, {"Attempts", int64(c.Attempts)}, {"Concurrency", int64(c.Concurrency)},
		{"RequestsPerMinute", int64(c.RequestsPerMinute)}, {"TokensPerMinute", int64(c.TokensPerMinute)}, {"OutputTokens", int64(c.OutputTokens)}, {"ReasoningTokens", int64(c.ReasoningTokens)},
		{"Dimensions", int64(c.Dimensions)}, {"EmbedBatch", int64(c.EmbedBatch)},
	} {
		if number.value < 0 {
			problems = append(problems, fmt.Errorf("%s must not be negative", number.name))
		}
	}
	return errors.Join(problems...)
}

// variable names the setting of a tier's model.
func variable(t review.Tier) string {
	switch t {
	case review.Fast:
		return "OPENRABBIT_MODEL_FAST"
	case tierEmbed:
		return "OPENRABBIT_MODEL_EMBED"
	case tierFallback:
		return "OPENRABBIT_MODEL_FALLBACK"
	default:
		return "OPENRABBIT_MODEL_MAIN"
	}
}
