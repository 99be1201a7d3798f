package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// parserCallTimeout bounds one stream or one check.
	parserCallTimeout = 25 * time.Second
	// parserTries is how often a broken stream's unanswered files are sent in a row without one more being answered.
	parserTries = 3
	// parserFileBytes is the largest file that the tier takes.
	parserFileBytes = 1 << 20
	// parserRetryAfter is when a review tries again after the tier did not answer.
	parserRetryAfter = 15 * time.Second
)

// errParserTier says that the parser tier did not answer.
var errParserTier = errors.New("the parser service cannot be reached")

// ParserClient is the parser tier over gRPC.
type ParserClient struct {
	parser parserv1.ParserServiceClient
}

var _ review.Parser = (*ParserClient)(nil)

// NewParserClient makes the client on a connection to the parser tier.
func NewParserClient(conn grpc.ClientConnInterface) *ParserClient {
	return &ParserClient{parser: parserv1.NewParserServiceClient(conn)}
}

// Analyze implements review.Parser. A stream that breaks is this hop's to mend: the files that have no answer yet are
// sent again, as long as that brings answers.
func (c *ParserClient) Analyze(ctx context.Context, sources []syntax.Source) ([]syntax.Analysis, error) {
	answers := make([]syntax.Analysis, len(sources))
	open := make(map[uint64]bool, len(sources))
	for i, s := range sources {
		if len(s.Content) > parserFileBytes {
			answers[i].Facts = syntax.Facts{Path: s.Path, Status: syntax.StatusTooLarge, Detail: "larger than 1 MiB"}
			continue
		}
		open[uint64(i)] = true
	}
	var broken error
	for tries := 0; len(open) > 0; {
		before := len(open)
		err := c.stream(ctx, sources, open, answers)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("analyze %d files: %w", len(sources), context.Cause(ctx))
		case err != nil && status.Code(err) == codes.ResourceExhausted:
			return nil, fmt.Errorf("analyze %d files: %w", len(sources), err)
		case err != nil:
			broken = err
		}
		if tries++; len(open) < before {
			tries = 1
		}
		if len(open) > 0 && tries >= parserTries {
			return unanswered(sources, open, answers, broken)
		}
	}
	return answers, nil
}

// unanswered gives up on files. When the tier answered none, it is not there.
func unanswered(sources []syntax.Source, open map[uint64]bool, answers []syntax.Analysis, err error) ([]syntax.Analysis, error) {
	if len(open) == len(sources) {
		return nil, fmt.Errorf("analyze %d files: %w: %w", len(sources), errParserTier, err)
	}
	for i := range open {
		answers[i].Facts = syntax.Facts{
			Path: sources[i].Path, Status: syntax.StatusTimeout, Detail: "the parser service did not answer for this file",
		}
	}
	return answers, nil
}

// stream sends the open files and takes the answers, which it removes from open.
func (c *ParserClient) stream(ctx context.Context, sources []syntax.Source, open map[uint64]bool, answers []syntax.Analysis) error {
	ctx, cancel := context.WithTimeout(ctx, parserCallTimeout)
	defer cancel()
	stream, err := c.parser.AnalyzeFiles(ctx, rpc.ReadsRaw())
	if err != nil {
		return err
	}
	var wanted []uint64
	for i := range sources {
		if open[uint64(i)] {
			wanted = append(wanted, uint64(i))
		}
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, i := range wanted {
			// An error of a send is an error of the stream too, which Recv tells.
			if stream.Send(pbconv.SourceToProto(i, sources[i])) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	defer func() { cancel(); <-sent }()
	for {
		// An answer may hold tens of thousands of references, so it is read without a message in between.
		var raw rpc.Raw
		err := stream.RecvMsg(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		id, answer, err := pbconv.ReadAnalysis(raw.Bytes)
		switch {
		case err != nil:
			return err
		case !open[id]:
			return fmt.Errorf("answer to file %d, which was not asked for", id)
		}
		answers[id] = answer
		delete(open, id)
	}
}

// CheckSuggestion implements review.Parser.
func (c *ParserClient) CheckSuggestion(ctx context.Context, source syntax.Source, start, end int, replacement string) (syntax.Verdict, string, error) {
	if len(source.Content) > parserFileBytes {
		return syntax.VerdictUnknown, "", nil
	}
	call, cancel := context.WithTimeout(ctx, parserCallTimeout)
	defer cancel()
	answer, err := c.parser.CheckSuggestion(call, pbconv.CheckSuggestionToProto(source, start, end, replacement))
	switch {
	case err == nil:
		verdict, text := pbconv.VerdictFromProto(answer)
		if verdict != syntax.VerdictReindented {
			text = replacement
		}
		return verdict, text, nil
	case ctx.Err() != nil:
		return "", "", fmt.Errorf("check suggestion for %s: %w", source.Path, context.Cause(ctx))
	default:
		return "", "", fmt.Errorf("check suggestion for %s: %w: %w", source.Path, errParserTier, err)
	}
}
