package gateway

import (
	"net"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/intake"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/store"
)

// Off as an address leaves an endpoint out.
const Off = "off"

// Config says how the gateway serves. Secrets is required; the zero value of everything else is usable.
type Config struct {
	// Addr is where webhooks are received; empty means ":8080".
	Addr string
	// GRPCAddr is where ReviewService is served; empty means "127.0.0.1:8090", Off nowhere. Off loopback it needs
	// APIToken or Mesh.TLS.
	GRPCAddr string
	// AdminAddr is where metrics and profiles are served; empty means "127.0.0.1:9090", Off nowhere.
	AdminAddr string
	// Secrets are the webhook's: one, or the old and the new while rotating.
	Secrets []config.Secret
	// APIToken is what callers of ReviewService send as "authorization: Bearer …". With Mesh.TLS a client's certificate
	// does instead.
	APIToken config.Secret
	// Mesh and Clients say how ReviewService is served: with TLS, only to clients whose certificates have one of these
	// names; none means "openrabbit".
	Mesh    rpc.Mesh
	Clients []string
	// Self is who we are on GitHub, as far as it is known: what we did ourselves is ignored.
	Self intake.Identity

	// MaxBody is the largest body, in bytes; 0 means 25 MiB, which is GitHub's limit.
	MaxBody int64
	// BodyMemory bounds the bodies in memory at a time, in bytes; 0 means 32 MiB. It is at least MaxBody.
	BodyMemory int64
	// HeaderTimeout and BodyTimeout bound the time to send headers and body; 0 means 5 seconds each.
	HeaderTimeout, BodyTimeout time.Duration
	// StoreTimeout bounds the transaction of a delivery, and the wait for a connection; 0 means 4 seconds, which leaves
	// one to answer 503 within 5.
	StoreTimeout time.Duration
	// MaxInFlight is how many verified deliveries wait for Postgres at a time; 0 means 256. More are answered 503.
	MaxInFlight int
	// HealthEvery is how often Postgres is asked whether it answers; 0 means 2 seconds.
	HealthEvery time.Duration
	// WatchPoll is how often those who watch a review look again without being told; 0 means 5 seconds.
	WatchPoll time.Duration
	// StopTimeout bounds the answering of what was accepted when the process stops; 0 means 8 seconds.
	StopTimeout time.Duration
	// Retention says how long deliveries, quarantined bodies and model answers are kept.
	Retention store.Retention
	// CleanEvery is how often what is older is deleted; 0 means an hour.
	CleanEvery time.Duration
}

const (
	defaultAddr      = ":8080"
	defaultGRPCAddr  = "127.0.0.1:8090"
	defaultAdminAddr = "127.0.0.1:9090"
	defaultClient    = "openrabbit"

	defaultMaxBody     = 25 << 20
	defaultBodyMemory  = 32 << 20
	defaultMaxInFlight = 256
	day                = 24 * time.Hour
)

// ConfigFromEnv reads the configuration. What is wrong with it is complained of in env.
func ConfigFromEnv(env *config.Env) Config {
	env.Require("GITHUB_WEBHOOK_SECRET", "without it anybody could send deliveries")
	c := Config{
		Addr:      env.String("OPENRABBIT_GATEWAY_ADDR", defaultAddr),
		GRPCAddr:  env.String("OPENRABBIT_GATEWAY_GRPC_ADDR", defaultGRPCAddr),
		AdminAddr: env.String("OPENRABBIT_GATEWAY_ADMIN_ADDR", defaultAdminAddr),
		Secrets:   env.Secrets("GITHUB_WEBHOOK_SECRET"),
		APIToken:  env.Secret("OPENRABBIT_API_TOKEN"),
		Mesh:      rpc.MeshFromEnv(env),
		Self:      intake.Identity{AppID: env.Int64("GITHUB_APP_ID", 0, 0, 1<<50)},
		Retention: store.Retention{
			Deliveries: time.Duration(env.Int("OPENRABBIT_KEEP_DELIVERIES_DAYS", 8, 4, 3650)) * day,
			ModelCalls: time.Duration(env.Int("OPENRABBIT_KEEP_ANSWERS_DAYS", 30, 1, 3650)) * day,
		},
		MaxInFlight: env.Int("OPENRABBIT_GATEWAY_MAX_IN_FLIGHT", defaultMaxInFlight, 1, 100_000),
	}
	if clients := env.String("OPENRABBIT_GATEWAY_CLIENTS", ""); clients != "" {
		for name := range strings.SplitSeq(clients, ",") {
			c.Clients = append(c.Clients, strings.TrimSpace(name))
		}
	}
	for _, problem := range c.problems() {
		env.Complain(problem.name, "%s", problem.text)
	}
	return c
}

type problem struct{ name, text string }

// problems are what makes a configuration unfit to serve with.
func (c Config) problems() (found []problem) {
	if len(c.Secrets) == 0 {
		found = append(found, problem{"GITHUB_WEBHOOK_SECRET", "is required: without it anybody could send deliveries"})
	}
	for _, secret := range c.Secrets {
		if secret.IsZero() {
			found = append(found, problem{"GITHUB_WEBHOOK_SECRET", "has an empty part"})
		}
	}
	if c.GRPCAddr != Off && !isLocal(c.GRPCAddr) && c.APIToken.IsZero() && c.Mesh.TLS.IsZero() {
		found = append(found, problem{"OPENRABBIT_API_TOKEN", "is required: OPENRABBIT_GATEWAY_GRPC_ADDR is not loopback, and there are no certificates"})
	}
	return found
}

func (c Config) withDefaults() Config {
	def(&c.Addr, defaultAddr)
	def(&c.GRPCAddr, defaultGRPCAddr)
	def(&c.AdminAddr, defaultAdminAddr)
	def(&c.MaxBody, defaultMaxBody)
	def(&c.BodyMemory, defaultBodyMemory)
	c.BodyMemory = max(c.BodyMemory, c.MaxBody+segment)
	def(&c.HeaderTimeout, 5*time.Second)
	def(&c.BodyTimeout, 5*time.Second)
	def(&c.StoreTimeout, 4*time.Second)
	def(&c.MaxInFlight, defaultMaxInFlight)
	def(&c.HealthEvery, 2*time.Second)
	def(&c.StopTimeout, 8*time.Second)
	def(&c.CleanEvery, time.Hour)
	if len(c.Clients) == 0 {
		c.Clients = []string{defaultClient}
	}
	return c
}

func def[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// isLocal says whether an address is reached from this machine only.
func isLocal(addr string) bool {
	if strings.HasPrefix(addr, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
