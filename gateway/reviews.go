package gateway

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// reviews serves ReviewService. Each method authorizes its caller first.
type reviews struct {
	reviewv1.UnimplementedReviewServiceServer

	callers  callers
	log      *slog.Logger
	inbox    *inbox
	store    *store.Store
	listener *store.Listener
	timeout  time.Duration
	// stopping ends the streams of those who watch.
	stopping <-chan struct{}
}

var _ reviewv1.ReviewServiceServer = (*reviews)(nil)

// RequestReview asks for a review and gives it a job.
func (s *reviews) RequestReview(ctx context.Context, in *reviewv1.RequestReviewRequest) (*reviewv1.RequestReviewResponse, error) {
	if err := s.callers.authorize(ctx); err != nil {
		return nil, err
	}
	if err := checkRequest(in); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	repository, err := s.store.RepositoryByName(ctx, in.GetRepository())
	installation := review.InstallationID(in.GetInstallationId())
	switch {
	case errors.Is(err, store.ErrNotFound) && installation == 0:
		return nil, status.Errorf(codes.NotFound, "repository %s has sent no delivery yet: is the App installed on it?", in.GetRepository())
	case errors.Is(err, store.ErrNotFound):
		return nil, status.Errorf(codes.FailedPrecondition, "repository %s has sent no delivery yet, so GitHub's number of it is not known", in.GetRepository())
	case err != nil:
		return nil, s.failed(ctx, "find repository", err)
	case installation != 0 && installation != repository.InstallationID:
		return nil, status.Errorf(codes.FailedPrecondition, "the deliveries of %s name another installation than %d", in.GetRepository(), installation)
	}
	got, err := s.request(ctx, store.Wanted{
		InstallationID: repository.InstallationID, RepositoryID: repository.ID, Repository: repository.FullName,
		Number: int(in.GetNumber()), Head: in.GetHeadSha(), Force: in.GetForce(),
	})
	if err != nil {
		return nil, s.failed(ctx, "request review", err)
	}
	s.log.InfoContext(ctx, "review requested", telemetry.KeyReview, string(got.Review.ID), "created", got.Created,
		telemetry.KeyRepository, repository.FullName, telemetry.KeyPullRequest, got.Review.Number, telemetry.KeyHead, got.Review.Head)
	full, err := s.whole(ctx, got.Review)
	if err != nil {
		return nil, s.failed(ctx, "read review", err)
	}
	return &reviewv1.RequestReviewResponse{Review: full, Created: got.Created}, nil
}

func (s *reviews) request(ctx context.Context, w store.Wanted) (got store.Requested, err error) {
	for try := 1; ; try++ {
		got, err = s.inbox.want(ctx, w)
		if err == nil || try == acceptTries || !store.Retryable(err) {
			return got, err
		}
	}
}

// GetReview shows one review with its findings.
func (s *reviews) GetReview(ctx context.Context, in *reviewv1.GetReviewRequest) (*reviewv1.GetReviewResponse, error) {
	if err := s.callers.authorize(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	full, err := s.read(ctx, in.GetId())
	if err != nil {
		return nil, err
	}
	return &reviewv1.GetReviewResponse{Review: full}, nil
}

// ListReviews lists reviews, newest first, without their findings.
func (s *reviews) ListReviews(ctx context.Context, in *reviewv1.ListReviewsRequest) (*reviewv1.ListReviewsResponse, error) {
	if err := s.callers.authorize(ctx); err != nil {
		return nil, err
	}
	if in.GetNumber() > math.MaxInt32 {
		return nil, status.Error(codes.InvalidArgument, "number is out of range")
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	found, next, err := s.store.Reviews(ctx,
		store.Filter{Repository: in.GetRepository(), Number: int(in.GetNumber())},
		store.Page{Size: int(min(in.GetPageSize(), math.MaxInt32)), Token: in.GetPageToken()})
	if errors.Is(err, store.ErrPageToken) {
		return nil, status.Error(codes.InvalidArgument, "page_token is not from an answer before")
	}
	if err != nil {
		return nil, s.failed(ctx, "list reviews", err)
	}
	out := &reviewv1.ListReviewsResponse{NextPageToken: next}
	for _, r := range found {
		out.Reviews = append(out.Reviews, rowToProto(r))
	}
	return out, nil
}

// WatchReview sends the review now and when its state or stage has changed, or its head become known, and ends with its
// end.
func (s *reviews) WatchReview(in *reviewv1.WatchReviewRequest, stream grpc.ServerStreamingServer[reviewv1.WatchReviewResponse]) error {
	ctx := stream.Context()
	if err := s.callers.authorize(ctx); err != nil {
		return err
	}
	id := review.ID(strings.ToLower(in.GetId()))
	changes := s.listener.Listen(ctx, id)
	for last := (store.Review{}); ; {
		reading, cancel := context.WithTimeout(ctx, s.timeout)
		row, err := s.store.Review(reading, id)
		var full *reviewv1.Review
		if err == nil && (row.State != last.State || row.Stage != last.Stage || row.Head != last.Head) {
			full, err = s.whole(reading, row)
		}
		cancel()
		switch {
		case errors.Is(err, store.ErrNotFound):
			return status.Errorf(codes.NotFound, "no review has the id %q", in.GetId())
		case err != nil:
			return s.failed(ctx, "read review", err)
		case full != nil:
			if err := stream.Send(&reviewv1.WatchReviewResponse{Review: full}); err != nil {
				return err
			}
			last = row
		}
		if row.State.Terminal() {
			return nil
		}
		select {
		case <-changes:
		case <-s.stopping:
			return status.Error(codes.Unavailable, "the gateway stops: watch again")
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// CancelReview ends a review that has not ended, and its job.
func (s *reviews) CancelReview(ctx context.Context, in *reviewv1.CancelReviewRequest) (*reviewv1.CancelReviewResponse, error) {
	if err := s.callers.authorize(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := pg.InTx(ctx, s.inbox.db, func(ctx context.Context, tx pg.Tx) error {
		row, changed, err := s.store.CancelReview(ctx, tx, review.ID(in.GetId()))
		if err != nil || !changed {
			return err
		}
		return s.inbox.cancelReviews(ctx, tx, []store.Review{row})
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, s.failed(ctx, "cancel review", err)
	}
	full, err := s.read(ctx, in.GetId())
	if err != nil {
		return nil, err
	}
	return &reviewv1.CancelReviewResponse{Review: full}, nil
}

// read gives a whole review, or an error for the caller.
func (s *reviews) read(ctx context.Context, id string) (*reviewv1.Review, error) {
	row, err := s.store.Review(ctx, review.ID(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "no review has the id %q", id)
	}
	if err != nil {
		return nil, s.failed(ctx, "read review", err)
	}
	full, err := s.whole(ctx, row)
	if err != nil {
		return nil, s.failed(ctx, "read review", err)
	}
	return full, nil
}

// whole is a row with what was found.
func (s *reviews) whole(ctx context.Context, row store.Review) (*reviewv1.Review, error) {
	full := rowToProto(row)
	result, err := s.store.Result(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	pbconv.ReviewResultToProto(result, full)
	return full, nil
}

// failed logs what went wrong with Postgres and gives the caller no more than that it may try again.
func (s *reviews) failed(ctx context.Context, doing string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return status.FromContextError(ctx.Err()).Err()
	}
	s.log.ErrorContext(ctx, "call failed", "doing", doing, telemetry.KeyError, err)
	return status.Errorf(codes.Unavailable, "%s: the database did not answer as it should", doing)
}

func rowToProto(r store.Review) *reviewv1.Review {
	out := &reviewv1.Review{
		Id: string(r.ID), Repository: r.Repository, Number: uint32(r.Number), HeadSha: r.Head,
		Generation: uint32(r.Generation), State: pbconv.ReviewStateToProto(r.State), Stage: string(r.Stage),
		Reason: r.Reason, Usage: pbconv.ReviewUsageToProto(r.Usage), CreatedAt: timestamppb.New(r.CreatedAt), JobId: r.JobID,
	}
	if !r.EndedAt.IsZero() {
		out.EndedAt = timestamppb.New(r.EndedAt)
	}
	return out
}

var (
	fullName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$`)
	sha      = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})?$`)
)

func checkRequest(in *reviewv1.RequestReviewRequest) error {
	switch {
	case !fullName.MatchString(in.GetRepository()):
		return status.Error(codes.InvalidArgument, "repository must be owner/name")
	case in.GetNumber() == 0 || in.GetNumber() > math.MaxInt32:
		return status.Error(codes.InvalidArgument, "number must be that of a pull request")
	case !sha.MatchString(in.GetHeadSha()):
		return status.Error(codes.InvalidArgument, "head_sha must be a whole SHA in lower case, or empty")
	case in.GetInstallationId() < 0:
		return status.Error(codes.InvalidArgument, "installation_id is negative")
	}
	return nil
}
