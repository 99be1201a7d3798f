package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
)

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	env := config.FromMap(map[string]string{
		"GITHUB_WEBHOOK_SECRET": "new, old", "GITHUB_APP_ID": "5", "OPENRABBIT_GATEWAY_ADDR": ":1",
		"OPENRABBIT_GATEWAY_GRPC_ADDR": "0.0.0.0:2", "OPENRABBIT_GATEWAY_ADMIN_ADDR": "off", "OPENRABBIT_API_TOKEN": "t",
		"OPENRABBIT_GATEWAY_CLIENTS": "a, b", "OPENRABBIT_KEEP_DELIVERIES_DAYS": "10",
	})
	c := gateway.ConfigFromEnv(env)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	if len(c.Secrets) != 2 || c.Secrets[0].Reveal() != "new" || c.Secrets[1].Reveal() != "old" {
		t.Errorf("%d secrets", len(c.Secrets))
	}
	if c.Addr != ":1" || c.GRPCAddr != "0.0.0.0:2" || c.AdminAddr != gateway.Off || c.APIToken.Reveal() != "t" ||
		c.Self.AppID != 5 || strings.Join(c.Clients, " ") != "a b" || c.Retention.Deliveries.Hours() != 240 {
		t.Errorf("read %+v", c)
	}
}

func TestWhatTheGatewayWillNotStartWith(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"no secret":               {map[string]string{}, "GITHUB_WEBHOOK_SECRET: is required"},
		"an empty secret":         {map[string]string{"GITHUB_WEBHOOK_SECRET": ""}, "GITHUB_WEBHOOK_SECRET: is required"},
		"commas":                  {map[string]string{"GITHUB_WEBHOOK_SECRET": " , ,"}, "GITHUB_WEBHOOK_SECRET: is required"},
		"open to everybody":       {map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_GRPC_ADDR": ":8090"}, "OPENRABBIT_API_TOKEN: is required"},
		"open to a network":       {map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_GRPC_ADDR": "10.0.0.1:8090"}, "OPENRABBIT_API_TOKEN: is required"},
		"open to IPv6":            {map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_GRPC_ADDR": "[::]:8090"}, "OPENRABBIT_API_TOKEN: is required"},
		"a name that looks local": {map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_GRPC_ADDR": "localhost.example:8090"}, "OPENRABBIT_API_TOKEN: is required"},
		"an empty token":          {map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_GRPC_ADDR": ":8090", "OPENRABBIT_API_TOKEN": " "}, "OPENRABBIT_API_TOKEN: is required"},
		"no address":              {map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_GRPC_ADDR": "8090"}, "OPENRABBIT_API_TOKEN: is required"},
		"deliveries too few":      {map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_KEEP_DELIVERIES_DAYS": "2"}, "OPENRABBIT_KEEP_DELIVERIES_DAYS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := config.FromMap(c.env)
			cfg := gateway.ConfigFromEnv(env)
			err := env.Err()
			if err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("complaints: %v, want one: %s", err, c.want)
			}
			if name == "deliveries too few" {
				return
			}
			_, err = gateway.New(cfg, gateway.Deps{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
			var wrong *config.Error
			if !errors.As(err, &wrong) {
				t.Errorf("New: %v, want a *config.Error", err)
			}
		})
	}
}

func TestLoopbackNeedsNoToken(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "127.0.0.1:8090", "localhost:8090", "[::1]:8090", "unix:///run/gateway.sock", "off"} {
		env := config.FromMap(map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_GRPC_ADDR": addr})
		gateway.ConfigFromEnv(env)
		if err := env.Err(); err != nil {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

// TestATokenAloneIsNotEnoughInTheClear: off loopback a token would be sent in the clear; somebody has to say that the
// network is private.
func TestATokenAloneIsNotEnoughInTheClear(t *testing.T) {
	t.Parallel()
	for mesh, want := range map[string]string{"": "not loopback", "1": ""} {
		env := config.FromMap(map[string]string{"GITHUB_WEBHOOK_SECRET": "s", "OPENRABBIT_GATEWAY_ADDR": "127.0.0.1:0", "OPENRABBIT_GATEWAY_ADMIN_ADDR": "off",
			"OPENRABBIT_GATEWAY_GRPC_ADDR": "0.0.0.0:0", "OPENRABBIT_API_TOKEN": "t", "OPENRABBIT_MESH_PLAINTEXT": mesh})
		cfg := gateway.ConfigFromEnv(env)
		if err := env.Err(); err != nil {
			t.Fatal(err)
		}
		g, err := gateway.New(cfg, gateway.Deps{DB: pgtest.New(t), Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		err = g.Run(ctx, stop) // stops as soon as it is ready
		stop()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("plaintext %q: %v, want %q in one line", mesh, err, want)
		}
	}
}

func TestTwoGatewaysShareADatabase(t *testing.T) {
	t.Parallel()
	first := newWorld(t)
	second := startWorld(t, first.db)
	first.expect(first.deliver(pullRequest()), http.StatusAccepted, "accepted", "")
	second.expect(second.deliver(pullRequest(), "X-GitHub-Delivery: another"), http.StatusOK, "duplicate", "same_meaning")
}
