package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// ServerConfig says how one service is served. Name and Addr (or Listener) are required.
type ServerConfig struct {
	// Name is the hop's name, for messages, logs and metrics, such as "parsersvc".
	Name string
	// Addr is "host:port" or "unix:///path". Port 0 takes a free one; Addr says which.
	Addr string
	// Listener is used instead of Addr when it is set.
	Listener net.Listener
	// TLS, when set, asks each client for a certificate.
	TLS TLSFiles
	// AllowedClients are the DNS names or URIs of which a client's certificate needs one. Required with TLS.
	AllowedClients []string
	// Plaintext allows going without TLS off loopback.
	Plaintext bool
	// MaxMessageBytes bounds a message in either direction; 0 means DefaultMaxMessageBytes.
	MaxMessageBytes int
	// DefaultTimeout bounds a unary call that came without a deadline, as people's tools make them; 0 means 2 minutes.
	DefaultTimeout time.Duration
	// DrainTimeout bounds the wait for running calls at the stop; 0 means 10 seconds.
	DrainTimeout time.Duration
	// ConnectionAge is after what a connection is asked to come anew, which spreads clients over new backends; 0 means
	// 5 minutes. ConnectionGrace is what running calls have then; it must exceed the longest call; 0 means 3 minutes.
	ConnectionAge, ConnectionGrace time.Duration
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = DefaultMaxMessageBytes
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&c.DefaultTimeout, defaultTimeout}, {&c.DrainTimeout, defaultDrain},
		{&c.ConnectionAge, defaultConnectionAge}, {&c.ConnectionGrace, defaultConnectionGrace},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	return c
}

func (c ServerConfig) validate() error {
	switch {
	case c.Name == "":
		return errors.New("a name is required")
	case c.Addr == "" && c.Listener == nil:
		return errors.New("an address is required")
	case c.MaxMessageBytes < 0:
		return errors.New("the limit of a message is negative")
	case !c.TLS.IsZero() && c.Plaintext:
		return errors.New("both TLS and plaintext are asked for")
	case !c.TLS.IsZero() && len(c.AllowedClients) == 0:
		return errors.New("TLS needs a list of the clients to let in")
	}
	return c.TLS.validate()
}

// Server is one gRPC server. Register services, then Run it once.
type Server struct {
	cfg      ServerConfig
	log      *slog.Logger
	grpc     *grpc.Server
	health   *health.Server
	listener net.Listener
	stop     sync.Once
	// endWatches ends the streams that watch our health, which otherwise last as long as their clients.
	endWatches context.CancelFunc
}

// NewServer listens and gives a server on which services can be registered. It answers nothing before Run, and says
// NOT_SERVING until SetServing. log and reg are required.
func NewServer(cfg ServerConfig, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	server, err := newServer(cfg.withDefaults(), log, reg)
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", cfg.Name, err)
	}
	return server, nil
}

func newServer(cfg ServerConfig, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	metrics, err := newServerMetrics(reg)
	if err != nil {
		return nil, err
	}
	unary := []grpc.UnaryServerInterceptor{metrics.unary(log), recoverUnary(log)}
	stream := []grpc.StreamServerInterceptor{metrics.stream(log), recoverStream(log)}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(cfg.MaxMessageBytes),
		grpc.MaxSendMsgSize(cfg.MaxMessageBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.InitialWindowSize(windowBytes),
		grpc.InitialConnWindowSize(connWindowBytes),
		grpc.MaxHeaderListSize(maxHeaderListSize),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: cfg.ConnectionAge, MaxConnectionAgeGrace: cfg.ConnectionGrace,
			Time: keepaliveTime, Timeout: keepaliveTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinTime, PermitWithoutStream: true}),
	}
	if !cfg.TLS.IsZero() {
		files, err := newCertificates(cfg.TLS, log)
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.Creds(&serverCredentials{files: files, log: log}))
		guests := guestList{service: cfg.Name, names: cfg.AllowedClients}
		unary = append(unary, guests.unary)
		stream = append(stream, guests.stream)
	}
	watches, endWatches := context.WithCancel(context.Background())
	stream = append(stream, untilStop(watches))
	budget := serverBudget{hop: cfg.Name, without: cfg.DefaultTimeout}
	unary = append(unary, budget.unary)
	stream = append(stream, budget.stream)
	options = append(options, grpc.ChainUnaryInterceptor(unary...), grpc.ChainStreamInterceptor(stream...))

	listener, err := listen(cfg)
	if err != nil {
		endWatches()
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: log, grpc: grpc.NewServer(options...), health: health.NewServer(), listener: listener, endWatches: endWatches,
	}
	// grpc's health server begins with SERVING.
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	return s, nil
}

// untilStop ends the streams that watch our health with the given context. Other streams are their handlers' to end.
func untilStop(stop context.Context) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		if !isHealth(info.FullMethod) {
			return handle(srv, ss)
		}
		ctx, cancel := context.WithCancel(ss.Context())
		defer cancel()
		defer context.AfterFunc(stop, cancel)()
		return handle(srv, &streamWithContext{ServerStream: ss, ctx: ctx})
	}
}

func listen(cfg ServerConfig) (net.Listener, error) {
	listener := cfg.Listener
	if listener == nil {
		var err error
		if listener, err = listenAddr(cfg.Addr); err != nil {
			return nil, err
		}
	}
	address := listener.Addr()
	if cfg.TLS.IsZero() && !cfg.Plaintext && !local(address.Network(), address.String()) {
		_ = listener.Close()
		return nil, fmt.Errorf("%s is not loopback: set certificates, or OPENRABBIT_MESH_PLAINTEXT=1 if the network is private", address)
	}
	return listener, nil
}

func listenAddr(addr string) (net.Listener, error) {
	var config net.ListenConfig
	ctx := context.Background()
	path, isUnix := unixPath(addr)
	if !isUnix {
		return config.Listen(ctx, "tcp", addr)
	}
	// A process that was killed leaves its socket, and nobody can listen there. One that answers is somebody's.
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("%s is in use", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	listener, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listener.Close()
		return nil, err
	}
	return listener, nil
}

// Registrar is where services are registered, before Run.
func (s *Server) Registrar() grpc.ServiceRegistrar { return s.grpc }

// Addr gives the address that is listened on: "host:port", or "unix:///path".
func (s *Server) Addr() string {
	address := s.listener.Addr()
	if address.Network() == "unix" {
		return "unix://" + address.String()
	}
	return address.String()
}

// SetServing tells health checks, of the server and of each registered service, whether to send calls here. After the
// stop has begun it does nothing.
func (s *Server) SetServing(serving bool) {
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", status)
	for service := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(service, status)
	}
}

// Run serves until ctx ends, then stops as Stop does, and returns nil. ready is called when calls are accepted; it may
// be nil.
func (s *Server) Run(ctx context.Context, ready func()) error {
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(s.listener) }()
	s.log.Info("rpc server listens", "service", s.cfg.Name, "address", s.Addr(), "tls", !s.cfg.TLS.IsZero())
	if ready != nil {
		ready()
	}
	select {
	case err := <-served:
		s.Stop()
		if err == nil || errors.Is(err, grpc.ErrServerStopped) {
			return nil
		}
		return fmt.Errorf("serve %s: %w", s.cfg.Name, err)
	case <-ctx.Done():
	}
	s.Stop()
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve %s: %w", s.cfg.Name, err)
	}
	return nil
}

// Stop says NOT_SERVING, accepts nothing new, waits for running calls for at most DrainTimeout, and cuts what is left.
// Stopping twice, or a server that was never run, is fine.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.health.Shutdown()
		drained := make(chan struct{})
		go func() {
			s.grpc.GracefulStop()
			close(drained)
		}()
		defer s.endWatches()
		watches := time.AfterFunc(watchMargin, s.endWatches)
		defer watches.Stop()
		timer := time.NewTimer(s.cfg.DrainTimeout)
		defer timer.Stop()
		select {
		case <-drained:
		case <-timer.C:
			s.log.Warn("rpc server cuts calls that did not end", telemetry.KeyService, s.cfg.Name)
			s.grpc.Stop()
			// GracefulStop returns when the handlers do; one that ignores its context is not waited for.
		}
		_ = s.listener.Close()
	})
}
