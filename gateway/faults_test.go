package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
)

// link is a TCP connection to Postgres that can be cut and held.
type link struct {
	t        *testing.T
	listener net.Listener
	network  string
	target   string

	mu    sync.Mutex
	cut   bool
	held  chan struct{} // closed while nothing is held
	conns map[net.Conn]struct{}
}

// newLink gives a link to a database and the database behind it.
func newLink(t *testing.T) (*link, *pg.DB, *pg.DB) {
	t.Helper()
	direct := pgtest.New(t)
	c := direct.Pool().Config().ConnConfig
	l := &link{t: t, network: "tcp", target: net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), conns: map[net.Conn]struct{}{}, held: make(chan struct{})}
	close(l.held)
	if c.Host != "" && c.Host[0] == '/' {
		l.network, l.target = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", c.Host, c.Port)
	}
	var err error
	var config net.ListenConfig
	if l.listener, err = config.Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go l.serve()
	t.Cleanup(func() { _ = l.listener.Close(); l.hold(false); l.refuse(true) })
	url := fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", c.User, c.Password, l.listener.Addr(), c.Database)
	return l, pgtest.Open(t, url), direct
}

func (l *link) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(conn)
	}
}

func (l *link) carry(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut {
		return
	}
	var d net.Dialer
	server, err := d.DialContext(context.Background(), l.network, l.target)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.conns[conn], l.conns[server] = struct{}{}, struct{}{}
	l.mu.Unlock()
	go l.copy(server, conn)
	l.copy(conn, server)
}

// copy carries one direction, piece by piece, and waits while the link is held.
func (l *link) copy(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		held := l.held
		l.mu.Unlock()
		<-held
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

// refuse cuts every connection and every new one.
func (l *link) refuse(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for conn := range l.conns {
		_ = conn.Close()
		delete(l.conns, conn)
	}
}

// hold keeps everything that is sent, in either direction, until it is let go.
func (l *link) hold(hold bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if hold {
		l.held = make(chan struct{})
		return
	}
	select {
	case <-l.held:
	default:
		close(l.held)
	}
}

// behind runs a gateway that reaches its database through a link.
func behind(t *testing.T, options ...option) (*world, *link) {
	t.Helper()
	l, db, direct := newLink(t)
	options = append(options, func(c *gateway.Config, d *gateway.Deps) {
		d.DB, c.StoreTimeout, c.HealthEvery = db, time.Second, 50*time.Millisecond
	})
	w := startWorld(t, direct, options...)
	// The link opens before the gateway stops: what it holds would be waited for.
	t.Cleanup(func() { l.hold(false); l.refuse(false) })
	return w, l
}

func TestPostgresIsGone(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ begin, end func(l *link) }{
		"down":  {func(l *link) { l.refuse(true) }, func(l *link) { l.refuse(false) }},
		"hangs": {func(l *link) { l.hold(true) }, func(l *link) { l.hold(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, l := behind(t)
			w.expect(w.deliver(pullRequest()), http.StatusAccepted, "accepted", "")
			ready := w.request("", nil)
			ready.Method, ready.URL.Path = http.MethodGet, "/readyz"
			if got := w.send(ready); got.code != http.StatusOK {
				t.Errorf("readyz %d before", got.code)
			}

			fault.begin(l)
			var all sync.WaitGroup
			for i := range 30 {
				body := pullRequest(`"number":12`, fmt.Sprintf(`"number":%d`, 100+i))
				if i%10 == 0 {
					body = body[:50] // malformed: there is no place to keep it either
				}
				r := w.request("pull_request", body)
				all.Go(func() {
					begun := time.Now()
					got, err := w.try(r)
					if err != nil || got.code != http.StatusServiceUnavailable || got.Reason != "database" || got.header.Get("Retry-After") == "" {
						t.Errorf("answer %+v, %v: want 503", got, err)
					}
					if took := time.Since(begun); took > 5*time.Second {
						t.Errorf("answered after %s", took)
					}
				})
			}
			all.Wait()
			w.eventually("readyz says so", func() bool { return w.send(ready).code == http.StatusServiceUnavailable })
			if got := w.deliver(pullRequest(), "X-Hub-Signature-256: "+sign("x", nil)); got.code != http.StatusUnauthorized {
				t.Errorf("unsigned meanwhile: %d", got.code)
			}

			fault.end(l)
			w.eventually("it heals", func() bool { return w.send(ready).code == http.StatusOK })
			for i := range 30 {
				body := pullRequest(`"number":12`, fmt.Sprintf(`"number":%d`, 100+i))
				if got := w.deliver(body); got.code != http.StatusAccepted && got.Status != "duplicate" {
					t.Errorf("after it: %+v", got)
				}
			}
			if n := w.count(`reviews`); n != 31 {
				t.Errorf("%d reviews, want one for each pull request, 31", n)
			}
			if n := w.count(`reviews r LEFT JOIN river_job j ON j.id = r.job_id WHERE j.id IS NULL`); n != 0 {
				t.Errorf("%d reviews have no job", n)
			}
		})
	}
}

// TestACrashAtEachPoint ends the request as a crash would, without an answer, at every point where the harness kills the
// process: there is a row if and only if the transaction was committed, and the redelivery makes it one review.
func TestACrashAtEachPoint(t *testing.T) {
	t.Parallel()
	for point, committed := range map[string]bool{
		"read": false, "verified": false, "tx_open": false, "inserted": false, "committed": true, "before_write": true,
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			w := newWorld(t, failing(func(name string) {
				if name == point {
					once.Do(func() { panic(http.ErrAbortHandler) })
				}
			}))
			const guid = "X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958"
			r := w.request("pull_request", pullRequest(), guid)
			r.GetBody, r.Body = nil, io.NopCloser(r.Body) // so that the client does not send it again by itself
			if got, err := w.try(r); err == nil {
				t.Fatalf("the fault did not land: answer %+v", got)
			}
			if rows := w.count(`deliveries`); rows != btoi(committed) {
				t.Errorf("%d rows after the crash", rows)
			}
			got := w.deliver(pullRequest(), guid)
			if committed {
				w.expect(got, http.StatusOK, "duplicate", "same_delivery")
			} else {
				w.expect(got, http.StatusAccepted, "accepted", "")
			}
			if got.Review == "" || w.count(`reviews WHERE id = $1`, got.Review) != 1 || w.count(`reviews`) != 1 || w.count(`river_job`) != 1 {
				t.Errorf("after the redelivery: %+v, %d reviews, %d jobs", got, w.count(`reviews`), w.count(`river_job`))
			}
		})
	}
}

func TestStoppingAnswersWhatWasAccepted(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w := newWorld(t, failing(func(name string) {
		if name == "inserted" {
			once.Do(func() { close(entered); <-leave })
		}
	}))
	done := make(chan reply, 1)
	r := w.request("pull_request", pullRequest())
	go func() {
		got, err := w.try(r)
		if err != nil {
			t.Error(err)
		}
		done <- got
	}()
	<-entered
	w.stop()
	w.eventually("no new connection is taken", func() bool {
		var d net.Dialer
		conn, err := d.DialContext(context.Background(), "tcp", w.gateway.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(leave)
	w.expect(<-done, http.StatusAccepted, "accepted", "")
	if w.count(`river_job`) != 1 {
		t.Error("the accepted delivery has no job")
	}
	select {
	case err := <-w.stopped:
		w.stopped <- err
	case <-time.After(10 * time.Second):
		t.Error("not stopped after 10 seconds")
	}
}

func TestStoppingIsBounded(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w := newWorld(t, configured(func(c *gateway.Config) { c.StopTimeout = 100 * time.Millisecond }), failing(func(name string) {
		if name == "read" {
			once.Do(func() { close(entered); <-leave })
		}
	}))
	defer close(leave)
	r := w.request("pull_request", pullRequest())
	go func() { _, _ = w.try(r) }()
	<-entered
	w.stop()
	select {
	case err := <-w.stopped:
		w.stopped <- err
	case <-time.After(10 * time.Second):
		t.Error("a request that hangs keeps the gateway")
	}
}

func TestADeliveryIsKeptThoughTheSenderHungUp(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w := newWorld(t, failing(func(name string) {
		if name == "verified" {
			once.Do(func() { close(entered); <-leave })
		}
	}))
	ctx, hangUp := context.WithCancel(t.Context())
	r := w.request("pull_request", pullRequest()).WithContext(ctx)
	done := make(chan error, 1)
	go func() {
		_, err := w.try(r)
		done <- err
	}()
	<-entered
	hangUp()
	if err := <-done; err == nil {
		t.Fatal("the sender got an answer: the fault did not land")
	}
	close(leave)
	w.eventually("the delivery and its job are there", func() bool { return w.count(`deliveries`) == 1 && w.count(`river_job`) == 1 })
}
