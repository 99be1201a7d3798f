package github

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/review"
)

// DefaultTimeout bounds one call, unless AppConfig.Timeout says otherwise. Whoever waits for an ambiguous write to settle
// waits longer than this.
const DefaultTimeout = 20 * time.Second

// AppConfig says who we are on GitHub.
type AppConfig struct {
	// AppID is the App's number. Required.
	AppID int64
	// PrivateKey is the App's RSA key in PEM. Required.
	PrivateKey config.Secret
	// APIURL is the base URL of the REST API: empty for github.com, "https://HOST/api/v3/" for Enterprise Server.
	// Credentials are sent to exactly this host.
	APIURL string
	// Timeout bounds one call; 0 means DefaultTimeout. Diffs and archives are allowed more.
	Timeout time.Duration
}

// App is our GitHub App. It is safe for concurrent use.
type App struct {
	id      int64
	api     *url.URL
	base    http.RoundTripper // guarded, without credentials
	asApp   *gh.Client        // signed with the App's key
	timeout time.Duration
	log     *slog.Logger
	now     func() time.Time

	identity identity

	mu     sync.Mutex
	tokens map[review.InstallationID]*installationToken
}

// NewApp makes the App. It calls nothing.
func NewApp(cfg AppConfig, log *slog.Logger) (*App, error) {
	api, err := parseAPIURL(cfg.APIURL)
	if err != nil {
		return nil, err
	}
	if cfg.AppID <= 0 {
		return nil, errors.New("github app id: must be a positive number")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if log == nil {
		log = discard()
	}
	guarded := &guard{api: api, next: newBase(cfg.Timeout), log: log, now: time.Now}
	// ghinstallation signs as the App. Its installation transport is not used: it cannot drop a token that was refused,
	// leaks the connection of a refused refresh, and fails on an empty answer.
	signed, err := ghinstallation.NewAppsTransport(guarded, cfg.AppID, []byte(cfg.PrivateKey.Reveal()))
	if err != nil {
		return nil, errors.New("github app private key: not an RSA key in PEM") // the cause may quote the key
	}
	return &App{
		id: cfg.AppID, api: api, base: guarded, asApp: newGitHub(api, signed), timeout: cfg.Timeout, log: log, now: time.Now,
		tokens: map[review.InstallationID]*installationToken{},
	}, nil
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newGitHub makes a go-github client over a transport.
func newGitHub(api *url.URL, transport http.RoundTripper) *gh.Client {
	c := gh.NewClient(&http.Client{Transport: transport, CheckRedirect: redirect})
	c.BaseURL = api
	c.UserAgent = "openrabbit"
	return c
}

// Installation gives the client of one installation. Its token is cached in the App and renewed a minute before it ends.
func (a *App) Installation(id review.InstallationID) *Client {
	a.mu.Lock()
	token, ok := a.tokens[id]
	if !ok {
		token = &installationToken{app: a, id: id, turn: make(chan struct{}, 1)}
		a.tokens[id] = token
	}
	a.mu.Unlock()
	return &Client{
		gh:      newGitHub(a.api, &authorized{from: token, next: a.base}),
		appID:   a.id,
		timeout: a.timeout,
		login: func(ctx context.Context) (string, error) {
			_, login, err := a.Identity(ctx)
			return login, err
		},
		contents: token.contentsPermission,
	}
}

// identity is fetched once and kept.
type identity struct {
	mu          sync.Mutex
	slug, login string
}

// Identity gives the App's slug and the login of its bot user, who is the author of what we post.
func (a *App) Identity(ctx context.Context) (slug, login string, err error) {
	a.identity.mu.Lock()
	defer a.identity.mu.Unlock()
	if a.identity.login != "" {
		return a.identity.slug, a.identity.login, nil
	}
	const op = "get app"
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	app, _, err := a.asApp.Apps.Get(ctx, "")
	if err != nil {
		return "", "", wrap(op, false, err)
	}
	if app.GetSlug() == "" {
		return "", "", &Error{Op: op, Kind: Unavailable, Message: "the answer has no slug"}
	}
	a.identity.slug, a.identity.login = app.GetSlug(), app.GetSlug()+"[bot]"
	return a.identity.slug, a.identity.login, nil
}

// installationToken caches the token of one installation.
type installationToken struct {
	app  *App
	id   review.InstallationID
	turn chan struct{} // one fetch at a time; a channel, so that waiting ends with the context

	value   string
	expires time.Time
	// contents is the level of the App's permission for contents, as it came with the token.
	contents string
}

var _ credentials = (*installationToken)(nil)

func (t *installationToken) token(ctx context.Context) (string, error) {
	const op = "create installation token"
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", wrap(op, false, ctx.Err())
	}
	if t.value != "" && t.app.now().Before(t.expires.Add(-time.Minute)) {
		return t.value, nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.app.timeout)
	defer cancel()
	// Not nil: go-github would send the JSON value null, which GitHub's description does not allow.
	got, _, err := t.app.asApp.Apps.CreateInstallationToken(ctx, int64(t.id), &gh.InstallationTokenOptions{})
	if err != nil {
		return "", wrap(op, true, err)
	}
	if got.GetToken() == "" || got.ExpiresAt == nil {
		return "", &Error{Op: op, Kind: Unavailable, Message: "the answer has no token"}
	}
	t.value, t.expires = got.GetToken(), got.GetExpiresAt().Time
	t.contents = got.GetPermissions().GetContents()
	return t.value, nil
}

// contentsPermission gives the level of the permission for contents, as the token that is in use has it.
func (t *installationToken) contentsPermission(ctx context.Context) (string, error) {
	if _, err := t.token(ctx); err != nil {
		return "", err
	}
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	return t.contents, nil
}

func (t *installationToken) drop(token string) bool {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.value == token {
		t.value = ""
	}
	return true
}

// staticToken is a token from the environment.
type staticToken config.Secret

var _ credentials = staticToken{}

func (t staticToken) token(context.Context) (string, error) { return config.Secret(t).Reveal(), nil }

func (staticToken) drop(string) bool { return false }

// NewTokenClient makes a client with a person's or a workflow's token instead of an App's.
func NewTokenClient(token config.Secret, apiURL string) (*Client, error) {
	api, err := parseAPIURL(apiURL)
	if err != nil {
		return nil, err
	}
	if token.IsZero() {
		return nil, errors.New("github token: not set")
	}
	guarded := &guard{api: api, next: newBase(DefaultTimeout), log: discard(), now: time.Now}
	c := &Client{gh: newGitHub(api, &authorized{from: staticToken(token), next: guarded}), timeout: DefaultTimeout}
	var me identity
	c.login = func(ctx context.Context) (string, error) {
		me.mu.Lock()
		defer me.mu.Unlock()
		if me.login == "" {
			user, _, err := c.gh.Users.Get(ctx, "")
			if err != nil {
				return "", wrap("get user", false, err)
			}
			if user.GetLogin() == "" {
				return "", &Error{Op: "get user", Kind: Unavailable, Message: "the answer has no login"}
			}
			me.login = user.GetLogin()
		}
		return me.login, nil
	}
	return c, nil
}
