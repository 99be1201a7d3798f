package parsersvc

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/rpc"
)

// AnalyzeFiles answers for the files of a stream as they finish. It reads the next file only when there is a place for
// it, and a file keeps its place until its answer is sent: so a client that sends faster than we parse, or reads slower,
// is held back by gRPC's flow control, and a stream costs a bounded amount of memory.
func (s *server) AnalyzeFiles(stream parserv1.ParserService_AnalyzeFilesServer) error {
	leave, ok := s.admission.tryStream()
	if !ok {
		s.metrics.shed.Inc()
		return unavailable(stream.Context(), "too many streams are open")
	}
	defer leave()
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	f := &files{server: s, stream: stream, ctx: ctx, cancel: cancel, own: make(chan struct{}, s.perStream)}

	// A stream's handler must return for Recv to wake, so it is not the one that waits there.
	read := make(chan error, 1)
	go func() { read <- f.read() }()
	var err error
	select {
	case err = <-read:
	case <-ctx.Done():
	}
	if err != nil {
		cancel(err)
	}
	f.finish()
	return inStatus(context.Cause(ctx))
}

// files is one stream of files.
type files struct {
	server *server
	stream parserv1.ParserService_AnalyzeFilesServer
	ctx    context.Context
	cancel context.CancelCauseFunc
	// own are this stream's places.
	own     chan struct{}
	sending sync.Mutex

	mu       sync.Mutex
	finished bool
	running  sync.WaitGroup
}

// begin counts a file in, or says that the stream is at its end.
func (f *files) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.finished {
		return false
	}
	f.running.Add(1)
	return true
}

// finish lets no file in any more and waits for those that are.
func (f *files) finish() {
	f.mu.Lock()
	f.finished = true
	f.mu.Unlock()
	f.running.Wait()
}

// read takes the files in until the client has sent them all.
func (f *files) read() error {
	for {
		select {
		case f.own <- struct{}{}:
		case <-f.ctx.Done():
			return context.Cause(f.ctx)
		}
		var raw rpc.Raw
		err := f.stream.RecvMsg(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		req := &parserv1.AnalyzeFilesRequest{}
		if err := proto.Unmarshal(raw.Bytes, req); err != nil {
			return status.Error(codes.InvalidArgument, "a request that can't be read")
		}
		if err := checkFile(req.GetFile()); err != nil {
			return err
		}
		leave, err := f.server.admission.wait(f.ctx)
		if err != nil {
			return err
		}
		if !f.begin() {
			leave()
			return context.Cause(f.ctx)
		}
		go func() {
			defer f.running.Done()
			defer func() { <-f.own }()
			if err := f.answer(req, raw.Bytes, leave); err != nil {
				f.cancel(err)
			}
		}()
	}
}

func (f *files) answer(req *parserv1.AnalyzeFilesRequest, raw []byte, leave func()) error {
	body, err := f.server.analyst.analyze(f.ctx, req, raw)
	// The place is for parsing; an answer that waits to be sent holds up its own stream only.
	leave()
	if err != nil {
		return err
	}
	f.sending.Lock()
	defer f.sending.Unlock()
	return f.stream.SendMsg(&rpc.Raw{Bytes: body})
}

// inStatus puts what ended a stream into gRPC's words.
func inStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.FromContextError(err).Err()
}
