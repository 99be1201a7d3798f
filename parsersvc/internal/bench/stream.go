//go:build linux && cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// analyze sends files through one stream and reads all answers, as the orchestrator does.
func analyze(ctx context.Context, client parserv1.ParserServiceClient, files []file, options ...grpc.CallOption) (time.Duration, error) {
	return exchange(ctx, client, len(files), func(i int) any {
		return request(i, files[i])
	}, func(body []byte) error {
		_, a, err := pbconv.ReadAnalysis(body)
		if f := &a.Facts; err == nil && f.Status != syntax.StatusOK && f.Status != syntax.StatusPartial {
			fmt.Fprintf(os.Stderr, "%s: %s %s\n", f.Path, f.Status, f.Detail)
		}
		return err
	}, options...)
}

func request(id int, f file) *parserv1.AnalyzeFilesRequest {
	return &parserv1.AnalyzeFilesRequest{Id: uint64(id), File: &parserv1.File{Path: f.path, Content: f.content}}
}

// load sends requests that are written already through one stream, and checks that each answer is whole and of a file
// that was parsed, without taking it apart: whoever makes load shall take little of the processors.
func load(ctx context.Context, client parserv1.ParserServiceClient, requests [][]byte, checker *pbconv.Checker, options ...grpc.CallOption) error {
	_, err := exchange(ctx, client, len(requests), func(i int) any {
		return &rpc.Raw{Bytes: requests[i]}
	}, func(body []byte) error {
		a, err := checker.Check(body)
		if err == nil && a.Status != syntax.StatusOK && a.Status != syntax.StatusPartial {
			err = fmt.Errorf("a file is %s", a.Status)
		}
		return err
	}, options...)
	return err
}

// written gives requests as they are on the wire.
func written(files []file) ([][]byte, error) {
	var out [][]byte
	for i, f := range files {
		b, err := proto.Marshal(request(i, f))
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// exchange sends n messages through one stream and reads as many answers.
func exchange(
	ctx context.Context, client parserv1.ParserServiceClient, n int, message func(i int) any, read func(body []byte) error, options ...grpc.CallOption,
) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	begun := time.Now()
	stream, err := client.AnalyzeFiles(ctx, append(options, rpc.ReadsRaw())...)
	if err != nil {
		return 0, err
	}
	go func() {
		for i := range n {
			if stream.SendMsg(message(i)) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	answers := 0
	for {
		var raw rpc.Raw
		err := stream.RecvMsg(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := read(raw.Bytes); err != nil {
			return 0, err
		}
		answers++
	}
	if answers != n {
		return 0, fmt.Errorf("%d answers to %d files", answers, n)
	}
	return time.Since(begun), nil
}
