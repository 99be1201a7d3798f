package parsersvc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	sitter "github.com/smacker/go-tree-sitter"
	"github.com/smacker/go-tree-sitter/javascript"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/parsersvc/internal/child"
	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
	"github.com/openrabbit/openrabbit/parsersvc/internal/work"
)

// faulty marks a child that does what the text of a file says. Only this test binary knows it.
const faulty = "parse-child-of-a-test"

func TestMain(m *testing.M) {
	MaybeChild()
	if len(os.Args) > 1 && os.Args[1] == faulty {
		os.Exit(child.Main(os.Args[2:], &faultyWorker{real: work.New()}))
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// faultyWorker is a real worker with orders in the files.
type faultyWorker struct{ real *work.Worker }

func (w *faultyWorker) Handle(kind wire.Kind, limit time.Duration, message []byte) ([]byte, error) {
	text := string(message)
	switch {
	case strings.Contains(text, "order: segfault"):
		// A real crash in C: writing a deep tree as text recurses until the stack ends.
		p := sitter.NewParser()
		p.SetLanguage(javascript.GetLanguage())
		t, err := p.ParseCtx(context.Background(), nil, []byte(strings.Repeat("(", 100_000)+"1"+strings.Repeat(")", 100_000)))
		if err != nil {
			return nil, err
		}
		return []byte(t.RootNode().String()), nil
	case strings.Contains(text, "order: hang"):
		for { //nolint:staticcheck // a hang that nothing but SIGKILL ends
		}
	case strings.Contains(text, "order: die"):
		os.Exit(9)
	case strings.Contains(text, "order: panic"):
		panic("on order")
	case strings.Contains(text, "order: rubbish"):
		return []byte("\xff\xff\xff"), nil
	case strings.Contains(text, "order: nap"):
		<-time.After(150 * time.Millisecond)
	case strings.Contains(text, "order: empty"):
		return nil, nil
	case strings.Contains(text, "order: impostor"):
		return proto.Marshal(&parserv1.AnalyzeFilesResponse{Id: 999, Facts: &parserv1.FileFacts{Path: "other"}})
	}
	return w.real.Handle(kind, limit, message)
}

// start runs a service until the test ends, and gives a client of it.
func start(t *testing.T, cfg Config) (parserv1.ParserServiceClient, *Service) {
	t.Helper()
	conn, s := dial(t, cfg)
	return parserv1.NewParserServiceClient(conn), s
}

func dial(t *testing.T, cfg Config) (*grpc.ClientConn, *Service) {
	t.Helper()
	cfg.Addr, cfg.AdminAddr = "127.0.0.1:0", AdminOff
	if cfg.FileTimeout == 0 {
		// Tests share the machine; those about the limit set their own.
		cfg.FileTimeout = 30 * time.Second
	}
	cfg.MemoryMiB = cmp.Or(cfg.MemoryMiB, defaultMemoryMiB) * memoryFactor
	s, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Registry: telemetry.NewRegistry("parsersvc")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	<-ready
	conn, err := rpc.Dial(s.Addr(), rpc.ClientConfig{Name: "parsersvc"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, s
}

// within gives a context of a call.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func file(path, content string) *parserv1.File {
	return &parserv1.File{Path: path, Content: []byte(content)}
}

func outline(t *testing.T, c parserv1.ParserServiceClient, path, content string) *parserv1.FileFacts {
	t.Helper()
	resp, err := c.Outline(within(t, 30*time.Second), &parserv1.OutlineRequest{File: file(path, content)})
	if err != nil {
		t.Fatalf("outline %s: %v", path, err)
	}
	return resp.GetFacts()
}

// receiveAll reads a stream to its end.
func receiveAll(stream parserv1.ParserService_AnalyzeFilesClient) (map[uint64]*parserv1.AnalyzeFilesResponse, error) {
	all := make(map[uint64]*parserv1.AnalyzeFilesResponse)
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if _, twice := all[resp.GetId()]; twice {
			return all, fmt.Errorf("two answers for %d", resp.GetId())
		}
		all[resp.GetId()] = resp
	}
}
