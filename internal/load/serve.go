package load

import (
	"context"
	"fmt"
	"os"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// Variant is a way to take deliveries.
type Variant string

// The variants. All are the gateway's own server, with its checks, its decoder and its decisions.
const (
	// Ours is what the gateway does.
	Ours Variant = "ours"
	// Limit stores nothing: no receiver that stores can be faster.
	Limit Variant = "limit"
	// InsertTx has a transaction for each delivery, with River's InsertTx: what one writes first. It writes the row of
	// the delivery and the job and nothing else, so it does less than ours.
	InsertTx Variant = "insert_tx"
)

// forgetful takes deliveries and keeps none.
type forgetful struct{}

func (forgetful) Accept(context.Context, gateway.Delivery) (gateway.Outcome, error) {
	return gateway.Outcome{Status: gateway.StatusAccepted}, nil
}

// oneEach has a transaction for each delivery.
type oneEach struct {
	db     *pg.DB
	client *river.Client[pg.Tx]
}

// Accept records the delivery and inserts its job.
func (o oneEach) Accept(ctx context.Context, d gateway.Delivery) (out gateway.Outcome, err error) {
	out.Status = gateway.StatusDuplicate
	err = pg.InTx(ctx, o.db, func(ctx context.Context, tx pg.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO deliveries
			(guid, meaning, event, action, installation_id, repository_id, number, head, decision)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`, d.GUID, d.Decision.Meaning, d.Event,
			d.Decision.Action, int64(d.Decision.InstallationID), int64(d.Decision.Repository.ID), d.Decision.Number,
			d.Decision.Head, string(d.Decision.Kind))
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		out.Status = gateway.StatusAccepted
		_, err = o.client.InsertTx(ctx, tx, queue.ReviewArgs{
			ReviewID: review.ID(d.GUID), InstallationID: d.Decision.InstallationID, RepositoryID: d.Decision.Repository.ID,
			Repository: d.Decision.Repository.Name, Number: d.Decision.Number, Head: d.Decision.Head, Generation: 1,
		}, &river.InsertOpts{Queue: queue.Fast, MaxAttempts: queue.ReviewMaxAttempts})
		return err
	})
	if err != nil {
		return gateway.Outcome{}, fmt.Errorf("insert: %w", err)
	}
	return out, nil
}

// Serving says how a gateway is to be served for a load test.
type Serving struct {
	Variant     Variant
	DatabaseURL string
	Secret      string
	// Addr is where webhooks are received; empty means a free port of this machine.
	Addr string
	// Connections bounds those to Postgres; 0 means the gateway's own.
	Connections int
	// Failpoint holds rules for internal/failpoint.
	Failpoint string
}

// Serve runs a gateway until ctx ends, and calls ready with its address.
func Serve(ctx context.Context, s Serving, ready func(addr string)) error {
	fail, err := failpoint.Parse(s.Failpoint, os.Stderr)
	if err != nil {
		return fmt.Errorf("read failpoint: %w", err)
	}
	log, registry := telemetry.FromEnv(config.FromOS(), "gateway", os.Stderr)
	db, err := pg.Open(ctx, s.DatabaseURL, "openrabbit-load", int32(s.Connections))
	if err != nil {
		return err
	}
	defer db.Close()
	if s.Addr == "" {
		s.Addr = "127.0.0.1:0"
	}
	deps := gateway.Deps{DB: db, Log: log, Registry: registry, Failpoint: fail.Hit}
	switch s.Variant {
	case Ours:
	case Limit:
		deps.Inbox = forgetful{}
	case InsertTx:
		client, err := river.NewClient(riverpgxv5.New(db.Pool()), &river.Config{})
		if err != nil {
			return fmt.Errorf("make River's client: %w", err)
		}
		deps.Inbox = oneEach{db: db, client: client}
	default:
		return fmt.Errorf("no variant %q", s.Variant)
	}
	g, err := gateway.New(gateway.Config{
		Addr: s.Addr, GRPCAddr: gateway.Off, AdminAddr: adminAddr(), Secrets: []config.Secret{config.NewSecret(s.Secret)},
	}, deps)
	if err != nil {
		return err
	}
	return g.Run(ctx, func() { ready(g.Addr()) })
}

// adminAddr is off unless a profile is wanted.
func adminAddr() string {
	if addr := os.Getenv("OPENRABBIT_GATEWAY_ADMIN_ADDR"); addr != "" {
		return addr
	}
	return gateway.Off
}
