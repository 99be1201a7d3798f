package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // Watches the backends' health.
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
)

// ClientConfig says how one service is called. The zero value is for plaintext on loopback.
type ClientConfig struct {
	// Name is the callee's name, for messages and metrics; empty means the target.
	Name string
	// TLS is our side of mutual TLS.
	TLS TLSFiles
	// ServerName is expected in the server's certificate; empty means the host of the target.
	ServerName string
	// Plaintext allows going without TLS off loopback.
	Plaintext bool
	// HealthService is the service whose health is watched; empty means the whole server's.
	HealthService string
	// MaxMessageBytes bounds a message in either direction; 0 means DefaultMaxMessageBytes.
	MaxMessageBytes int
	// WaitForReady makes a call wait within its deadline while no backend serves, instead of failing as UNAVAILABLE.
	WaitForReady bool
	// Retry says how UNAVAILABLE is tried again; the zero value has defaults.
	Retry Retry
	// Registry gets the metrics; nil means none.
	Registry prometheus.Registerer
	// Log gets complaints about certificates; nil means silence.
	Log *slog.Logger
	// Dialer replaces the network, for a server in memory; its connections count as local.
	Dialer func(ctx context.Context, address string) (net.Conn, error)
}

// Retry is the one retry of this hop, declared to gRPC. A server that sheds load can ask for another delay.
type Retry struct {
	// Attempts are all attempts of a call, from 1 (never again) to 5; 0 means 4.
	Attempts int
	// Initial is the first delay, about doubled each time up to Max; 0 means 50 ms and 1 s.
	Initial, Max time.Duration
}

func (r Retry) withDefaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 4
	}
	if r.Initial == 0 {
		r.Initial = 50 * time.Millisecond
	}
	if r.Max == 0 {
		r.Max = time.Second
	}
	return r
}

// Dial gives a connection to the service at target: "host:port", whose name may stand for several addresses, a
// comma-separated list of those, or "unix:///path". It does not wait for the service. The caller closes it.
func Dial(target string, cfg ClientConfig) (*grpc.ClientConn, error) {
	if cfg.Name == "" {
		cfg.Name = target
	}
	conn, err := dial(target, cfg)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", cfg.Name, err)
	}
	return conn, nil
}

func dial(target string, cfg ClientConfig) (*grpc.ClientConn, error) {
	addresses := strings.Split(target, ",")
	for i, address := range addresses {
		addresses[i] = strings.TrimSpace(address)
	}
	if err := cfg.validate(addresses); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxMessageBytes == 0 {
		cfg.MaxMessageBytes = DefaultMaxMessageBytes
	}
	serviceConfig, err := cfg.serviceConfig()
	if err != nil {
		return nil, err
	}
	interceptor, err := newClientInterceptor(cfg)
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		// What DNS says of a service config is not asked for.
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(cfg.MaxMessageBytes),
			grpc.MaxCallSendMsgSize(cfg.MaxMessageBytes),
			// A request larger than this buffer is not tried again; gRPC's own has 256 KiB.
			grpc.MaxRetryRPCBufferSize(2*cfg.MaxMessageBytes),
		),
		grpc.WithInitialWindowSize(windowBytes),
		grpc.WithInitialConnWindowSize(connWindowBytes),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true}),
		grpc.WithChainUnaryInterceptor(interceptor.unary),
		grpc.WithChainStreamInterceptor(interceptor.stream),
	}
	if cfg.TLS.IsZero() {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	} else {
		files, err := newCertificates(cfg.TLS, cfg.Log)
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.WithTransportCredentials(&clientCredentials{files: files}))
		if cfg.ServerName != "" {
			options = append(options, grpc.WithAuthority(cfg.ServerName))
		}
	}
	target = addresses[0]
	if cfg.Dialer != nil {
		options = append(options, grpc.WithContextDialer(cfg.Dialer))
		target = "passthrough:///" + target
	}
	if len(addresses) > 1 {
		options = append(options, grpc.WithResolvers(list(addresses)))
		target = listScheme + ":///" + cfg.Name
	}
	return grpc.NewClient(target, options...)
}

func (c ClientConfig) validate(addresses []string) error {
	if err := c.TLS.validate(); err != nil {
		return err
	}
	if !c.TLS.IsZero() && c.Plaintext {
		return errors.New("both TLS and plaintext are asked for")
	}
	for _, address := range addresses {
		if address == "" {
			return errors.New("an address is required")
		}
		network := "tcp"
		if _, isUnix := unixPath(address); isUnix {
			if len(addresses) > 1 {
				return errors.New("a list cannot hold a unix socket")
			}
			network = "unix"
		}
		if c.TLS.IsZero() && !c.Plaintext && c.Dialer == nil && !local(network, address) {
			return fmt.Errorf("%s is not loopback: set certificates, or OPENRABBIT_MESH_PLAINTEXT=1 if the network is private", address)
		}
	}
	return nil
}

// serviceConfig is gRPC's declaration of balancing, health and retry. A retryPolicy counts only inside methodConfig.
func (c ClientConfig) serviceConfig() (string, error) {
	type object = map[string]any
	method := object{"name": []object{{}}, "waitForReady": c.WaitForReady}
	retry := c.Retry.withDefaults()
	if retry.Attempts > 1 {
		method["retryPolicy"] = object{
			"maxAttempts": retry.Attempts, "initialBackoff": seconds(retry.Initial), "maxBackoff": seconds(retry.Max),
			"backoffMultiplier": 2, "retryableStatusCodes": []string{"UNAVAILABLE"},
		}
	}
	config, err := json.Marshal(object{
		"loadBalancingConfig": []object{{"round_robin": object{}}},
		"healthCheckConfig":   object{"serviceName": c.HealthService},
		"methodConfig":        []object{method},
		// When more than a tenth of the calls fail for long, retries pause: they would be the load.
		"retryThrottling": object{"maxTokens": 100, "tokenRatio": 0.1},
	})
	return string(config), err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3fs", d.Seconds()) }

// clientInterceptor insists on deadlines, counts calls and names the callee in what went wrong.
type clientInterceptor struct {
	name    string
	seconds *prometheus.HistogramVec
}

func newClientInterceptor(cfg ClientConfig) (*clientInterceptor, error) {
	c := &clientInterceptor{name: cfg.Name, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "openrabbit_rpc_client_seconds", Help: "How long calls took with their retries, by callee, method and code. Streams are timed to their opening.",
		Buckets: buckets(),
	}, []string{"callee", "method", "code"})}
	if cfg.Registry == nil {
		return c, nil
	}
	var err error
	c.seconds, err = registered(cfg.Registry, c.seconds)
	return c, err
}

func (c *clientInterceptor) end(method string, begun time.Time, err error) error {
	c.seconds.WithLabelValues(c.name, method, codeOf(err).String()).Observe(time.Since(begun).Seconds())
	return annotate(c.name, method, err)
}

func (c *clientInterceptor) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		return errNoDeadline(method)
	}
	begun := time.Now()
	return c.end(method, begun, invoke(ctx, method, req, reply, conn, opts...))
}

func (c *clientInterceptor) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errNoDeadline(method)
	}
	begun := time.Now()
	stream, err := open(ctx, desc, conn, method, opts...)
	if err = c.end(method, begun, err); err != nil {
		return nil, err
	}
	return &namedStream{ClientStream: stream, name: c.name, method: method}, nil
}

// namedStream names the callee in the errors of a stream.
type namedStream struct {
	grpc.ClientStream
	name, method string
}

// RecvMsg receives a message; io.EOF, the good end, stays as it is.
func (s *namedStream) RecvMsg(m any) error {
	return annotate(s.name, s.method, s.ClientStream.RecvMsg(m))
}

const listScheme = "openrabbit-list"

// list resolves to fixed addresses, each a backend of its own.
type list []string

var _ resolver.Builder = list(nil)

// Build gives the addresses at once.
func (l list) Build(_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	var state resolver.State
	for _, address := range l {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		endpoint := resolver.Endpoint{Addresses: []resolver.Address{{Addr: address, ServerName: host}}}
		state.Endpoints = append(state.Endpoints, endpoint)
		state.Addresses = append(state.Addresses, endpoint.Addresses...)
	}
	return fixed{}, conn.UpdateState(state)
}

// Scheme names the resolver.
func (list) Scheme() string { return listScheme }

// fixed is a resolver whose answer never changes.
type fixed struct{}

// ResolveNow does nothing.
func (fixed) ResolveNow(resolver.ResolveNowOptions) {}

// Close does nothing.
func (fixed) Close() {}
