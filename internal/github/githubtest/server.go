package githubtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say what the server is like. The zero value is usable.
type Options struct {
	// Addr is where to listen. Default "127.0.0.1:0".
	Addr string
	// AppID is the App's number. Default 1.
	AppID int64
	// Slug is the App's name in URLs; its bot user is Slug + "[bot]". Default "openrabbit".
	Slug string
	// PrivateKeyPEM is the App's RSA key. One is made when it is empty.
	PrivateKeyPEM string
	// WebhookSecret signs deliveries. One is made when it is empty.
	WebhookSecret string
	// TokenLifetime is how long an installation token is good. Default one hour.
	TokenLifetime time.Duration
	// RateLimit is how many requests an installation has in an hour. Default 5,000.
	RateLimit int
	// ContentMinute and ContentHour are how much an installation may create, a review counted with its comments; 0 is any
	// number. It is counted in any case: ContentSeen.
	ContentMinute, ContentHour int
	// DiffFiles, DiffLines and DiffBytes are where a diff is refused (406). Default 300, 20,000 and 1 MB.
	DiffFiles, DiffLines, DiffBytes int
	// ListedFiles is how many changed files are listed. Default 3,000.
	ListedFiles int
	// PatchBytes is where the listing leaves a patch out. Default 400 KB.
	PatchBytes int
	// Seed starts the dice of faults with a probability.
	Seed uint64
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log hears of each request at debug level. Default: nothing.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	def := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	def(&o.RateLimit, 5000)
	def(&o.DiffFiles, 300)
	def(&o.DiffLines, 20_000)
	def(&o.DiffBytes, 1_000_000)
	def(&o.ListedFiles, 3000)
	def(&o.PatchBytes, 400_000)
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.AppID == 0 {
		o.AppID = 1
	}
	if o.Slug == "" {
		o.Slug = "openrabbit"
	}
	if o.TokenLifetime <= 0 {
		o.TokenLifetime = time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	// URL is the base URL of the API, without a slash at the end.
	URL string
	// AppID, Slug and WebhookSecret are the App's.
	AppID         int64
	Slug          string
	WebhookSecret string

	o         Options
	key       *rsa.PrivateKey
	keyPEM    string
	http      *http.Server
	described *description
	routes    []*route
	closed    chan struct{}
	pending   sync.WaitGroup // requests to be applied later, redeliveries

	mu            sync.Mutex
	repos         map[string]*repository
	installations map[int64]*installation
	users         map[string]int64
	tokens        map[string]*caller
	used          map[string]int // requests of the hour, by caller
	deliveries    []*delivery
	sent          map[string]bool // GUIDs
	strange       DeliveryPages
	listed        int // pages of deliveries
	nextID        int64
	lag           time.Duration
	leave         Left
	paging        Paging
	made          map[int64][]made
	restraints    map[int64][]*Restraint
	renamed       map[string]*repository // by the name that was
	laterMu       sync.Mutex
	later         []due

	logMu      sync.Mutex
	requests   []*Request
	violations []string

	faults faults
}

// New starts a server.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	s := &Server{
		AppID: o.AppID, Slug: o.Slug, WebhookSecret: o.WebhookSecret, o: o, closed: make(chan struct{}),
		repos: map[string]*repository{}, installations: map[int64]*installation{}, users: map[string]int64{},
		tokens: map[string]*caller{}, used: map[string]int{}, sent: map[string]bool{}, made: map[int64][]made{},
		restraints: map[int64][]*Restraint{}, renamed: map[string]*repository{}, nextID: 1000, faults: newFaults(o.Seed), routes: routes(),
	}
	var err error
	if s.described, err = loadDescription(); err != nil {
		return nil, err
	}
	if err := s.makeKeys(o.PrivateKeyPEM); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("start github stand-in: %w", err)
	}
	s.URL = "http://" + listener.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("github stand-in stopped", "error", err)
		}
	}()
	return s, nil
}

// makeKeys reads or makes the App's key and the webhook secret.
func (s *Server) makeKeys(given string) error {
	if s.WebhookSecret == "" {
		s.WebhookSecret = randomHex(20)
	}
	if given == "" {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return fmt.Errorf("make app key: %w", err)
		}
		s.key = key
		s.keyPEM = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
		return nil
	}
	block, _ := pem.Decode([]byte(given))
	if block == nil {
		return errors.New("read app key: not PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return errors.New("read app key: not an RSA key in PKCS #1")
	}
	s.key, s.keyPEM = key, given
	return nil
}

// randomHex gives n random bytes in hex. Reading randomness does not fail (see crypto/rand).
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// PrivateKeyPEM gives the App's private key.
func (s *Server) PrivateKeyPEM() string { return s.keyPEM }

// Close stops the server and waits for what it still had to do. Closing twice is fine.
func (s *Server) Close() {
	select {
	case <-s.closed:
		return
	default:
		close(s.closed)
	}
	s.http.Close()
	s.pending.Wait()
}

// Requests gives all requests so far, in the order they came.
func (s *Server) Requests() []Request {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	all := make([]Request, len(s.requests))
	for i, r := range s.requests {
		all[i] = *r
	}
	return all
}

// Count says how many requests of a route came: "GET /repos/{owner}/{repo}/pulls/{pull_number}".
func (s *Server) Count(route string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Route == route {
			n++
		}
	}
	return n
}

// Violations gives what deviated from GitHub's description, in requests and in answers, and routes that nothing answers.
func (s *Server) Violations() []string {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return slices.Clone(s.violations)
}

func (s *Server) violation(format string, args ...any) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// SetReadLag makes listings of reviews, comments and check runs show only what is older than this.
func (s *Server) SetReadLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = d
}

// Left is what a review that is refused for one of its comments leaves behind. Reports of what GitHub does differ.
type Left int

// What may be left: nothing, a pending review with just the body, or a submitted one.
const (
	LeaveNothing Left = iota
	LeavePending
	LeaveSubmitted
)

// LeaveOnRefusal sets what a refused review leaves behind.
func (s *Server) LeaveOnRefusal(what Left) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave = what
}

// visible says whether something made at a time is listed already.
func (s *Server) visible(made time.Time) bool { return !made.After(s.o.Now().Add(-s.lag)) }

func (s *Server) id() int64 {
	s.nextID++
	return s.nextID
}

// userID gives a login its number.
func (s *Server) userID(login string) int64 {
	key := strings.ToLower(login)
	if s.users[key] == 0 {
		s.users[key] = s.id()
	}
	return s.users[key]
}
