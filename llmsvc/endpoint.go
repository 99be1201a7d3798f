package llmsvc

import (
	"net/http"
	"net/url"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"github.com/openrabbit/openrabbit/internal/config"
)

// defaultAPIVersion is the newest api-version of Azure's deployment paths that is not a preview.
const defaultAPIVersion = "2024-10-21"

// Endpoint is where a model server is and how it is spoken to.
type Endpoint struct {
	// Key is sent to this server and to no other.
	Key config.Secret
	// BaseURL is the server's base, as in https://api.openai.com/v1.
	BaseURL string
	// Server names its kind; empty means by its address. See serverNames.
	Server string
	// APIVersion is for Azure's deployment paths; empty means 2024-10-21.
	APIVersion string
}

// endpoint is a model server: the connections, and the gate that all requests to it pass.
type endpoint struct {
	Endpoint
	server server
	client *openai.Client
	http   *http.Client
	gate   *gate
	// variables name the settings of its base and its key, for people who have to mend them.
	baseVariable, keyVariable string
}

func newEndpoint(e Endpoint, l limits, transport http.RoundTripper) *endpoint {
	if transport == nil {
		transport = newTransport(l.atOnce)
	}
	d := newDoer(transport)
	out := &endpoint{
		Endpoint: e, server: serverOf(e.Server, e.BaseURL), http: d.http, gate: newGate(l),
		baseVariable: "OPENAI_BASE_URL", keyVariable: "OPENAI_API_KEY",
	}
	library := openai.DefaultConfig(e.Key.Reveal())
	if resource, ok := out.deployments(); ok {
		library = openai.DefaultAzureConfig(e.Key.Reveal(), resource)
		library.APIVersion = e.APIVersion
		if library.APIVersion == "" {
			library.APIVersion = defaultAPIVersion
		}
		// The name in the configuration is that of the deployment.
		library.AzureModelMapperFunc = url.PathEscape
	} else {
		library.BaseURL = e.BaseURL
	}
	library.HTTPClient = d
	out.client = openai.NewClientWithConfig(library)
	return out
}

// deployments says whether models are deployments in the path, and gives the base in front of "/openai". Azure's newer
// /openai/v1 is like any other server.
func (e *endpoint) deployments() (resource string, ok bool) {
	if !e.server.azure {
		return "", false
	}
	base := strings.TrimRight(e.BaseURL, "/")
	if strings.HasSuffix(base, "/openai/v1") {
		return "", false
	}
	base, _, _ = strings.Cut(base, "/openai")
	return base, true
}

// plaintextKey says whether a key would travel unencrypted to another machine.
func (e *endpoint) plaintextKey() bool {
	u, err := url.Parse(e.BaseURL)
	return err == nil && !e.Key.IsZero() && u.Scheme == "http" && !isLoopback(u.Hostname())
}

// close gives up idle connections.
func (e *endpoint) close() {
	e.gate.close()
	e.http.CloseIdleConnections()
}

// inWords puts what is said of the first endpoint's settings into the names of this one's.
func (e *endpoint) inWords(text string) string {
	return strings.NewReplacer("OPENAI_BASE_URL", e.baseVariable, "OPENAI_API_KEY", e.keyVariable).Replace(text)
}
