package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

func (w *world) conn() *grpc.ClientConn {
	w.t.Helper()
	conn, err := grpc.NewClient(w.gateway.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (w *world) reviews() reviewv1.ReviewServiceClient {
	w.t.Helper()
	return reviewv1.NewReviewServiceClient(w.conn())
}

func expectCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func TestRequestReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ctx := w.reviews(), t.Context()
	ask := func(r *reviewv1.RequestReviewRequest) *reviewv1.RequestReviewResponse {
		t.Helper()
		got, err := c.RequestReview(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	_, err := c.RequestReview(ctx, &reviewv1.RequestReviewRequest{Repository: "acme/shop", Number: 12})
	expectCode(t, "an unknown repository", err, codes.NotFound)
	_, err = c.RequestReview(ctx, &reviewv1.RequestReviewRequest{Repository: "acme/shop", Number: 12, InstallationId: 7})
	expectCode(t, "an unknown repository of an installation", err, codes.FailedPrecondition)
	for name, r := range map[string]*reviewv1.RequestReviewRequest{
		"no repository": {Number: 1}, "a URL": {Repository: "https://github.com/a/b", Number: 1}, "no number": {Repository: "a/b"},
		"a large number": {Repository: "a/b", Number: 1 << 31}, "a branch": {Repository: "a/b", Number: 1, HeadSha: "main"},
		"a negative installation": {Repository: "a/b", Number: 1, InstallationId: -1},
	} {
		_, err := c.RequestReview(ctx, r)
		expectCode(t, name, err, codes.InvalidArgument)
	}

	delivered := w.deliver(pullRequest())
	same := ask(&reviewv1.RequestReviewRequest{Repository: "ACME/shop", Number: 12})
	if same.GetCreated() || same.GetReview().GetId() != delivered.Review {
		t.Errorf("the delivered head again: %v", same)
	}
	_, err = c.RequestReview(ctx, &reviewv1.RequestReviewRequest{Repository: "acme/shop", Number: 12, InstallationId: 8})
	expectCode(t, "another installation", err, codes.FailedPrecondition)
	forced := ask(&reviewv1.RequestReviewRequest{Repository: "acme/shop", Number: 12, HeadSha: headA, Force: true, InstallationId: 7})
	r := forced.GetReview()
	if !forced.GetCreated() || r.GetGeneration() != 2 || r.GetState() != reviewv1.State_STATE_QUEUED || r.GetJobId() == 0 || r.GetHeadSha() != headA {
		t.Errorf("forced: %v", forced)
	}
	if n := w.count(`river_job WHERE state = 'cancelled' AND args->>'review_id' = $1`, delivered.Review); n != 1 {
		t.Error("the job of the first generation still waits")
	}
	other := ask(&reviewv1.RequestReviewRequest{Repository: "acme/shop", Number: 99})
	if !other.GetCreated() || other.GetReview().GetHeadSha() != "" {
		t.Errorf("a pull request that nobody heard of: %v", other)
	}
	if n := w.count(`river_job WHERE id = $1 AND args->>'head' = '' AND (args->>'number')::int = 99`, other.GetReview().GetJobId()); n != 1 {
		t.Error("no job without a head")
	}
}

func TestGetReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ctx := w.reviews(), t.Context()
	for _, id := range []string{"", "x", "0191c1a4-0000-7000-8000-000000000000", "urn:uuid:0191c1a4-0000-7000-8000-000000000000"} {
		_, err := c.GetReview(ctx, &reviewv1.GetReviewRequest{Id: id})
		expectCode(t, id, err, codes.NotFound)
	}
	id := review.ID(w.deliver(pullRequest()).Review)
	result := &review.Result{
		Summary:   "what it does",
		Findings:  []finding.Finding{{Path: "a.go", Anchor: diff.Anchor{Path: "a.go", Side: diff.New, Start: 2, End: 3}, Severity: finding.High, Category: finding.Bug, Title: "t"}},
		Omissions: []finding.Omission{{Path: "go.sum", Reason: "lock file"}},
		Usage:     review.Usage{InputTokens: 5, Calls: 1},
	}
	if _, err := w.store.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := w.store.SaveResult(ctx, id, "base", result); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Finish(ctx, id, review.Findings, ""); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetReview(ctx, &reviewv1.GetReviewRequest{Id: string(id)})
	if err != nil {
		t.Fatal(err)
	}
	r := got.GetReview()
	if r.GetState() != reviewv1.State_STATE_FINDINGS || r.GetSummary() != "what it does" || len(r.GetFindings()) != 1 ||
		!r.GetFindings()[0].GetAnchored() || len(r.GetOmissions()) != 1 || r.GetUsage().GetInputTokens() != 5 ||
		!r.GetEndedAt().IsValid() || r.GetRepository() != "acme/shop" {
		t.Errorf("got %v", r)
	}
}

func TestListReviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ctx := w.reviews(), t.Context()
	var want []string
	for _, number := range []string{"1", "2", "3", "4", "5"} {
		want = append(want, w.deliver(pullRequest(`"number":12`, `"number":`+number)).Review)
	}
	slices.Reverse(want)
	var got []string
	for token := ""; ; {
		page, err := c.ListReviews(ctx, &reviewv1.ListReviewsRequest{Repository: "acme/shop", PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.GetReviews() {
			got = append(got, r.GetId())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	one, err := c.ListReviews(ctx, &reviewv1.ListReviewsRequest{Number: 3})
	if err != nil || len(one.GetReviews()) != 1 || one.GetReviews()[0].GetNumber() != 3 {
		t.Errorf("of one pull request: %v, %v", one, err)
	}
	_, err = c.ListReviews(ctx, &reviewv1.ListReviewsRequest{PageToken: "x"})
	expectCode(t, "a made-up token", err, codes.InvalidArgument)
	_, err = c.ListReviews(ctx, &reviewv1.ListReviewsRequest{Number: 1 << 31})
	expectCode(t, "a large number", err, codes.InvalidArgument)
}

func TestWatchReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, configured(func(c *gateway.Config) { c.WatchPoll = time.Hour })) // only notifications
	c, ctx := w.reviews(), t.Context()
	missing, err := c.WatchReview(ctx, &reviewv1.WatchReviewRequest{Id: "x"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = missing.Recv()
	expectCode(t, "no such review", err, codes.NotFound)

	id := review.ID(w.deliver(pullRequest()).Review)
	stream, err := c.WatchReview(ctx, &reviewv1.WatchReviewRequest{Id: string(id)})
	if err != nil {
		t.Fatal(err)
	}
	next := func(state reviewv1.State, stage review.Stage) *reviewv1.Review {
		t.Helper()
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r := got.GetReview(); r.GetState() != state || r.GetStage() != string(stage) {
			t.Errorf("told of %s %q, want %s %q", r.GetState(), r.GetStage(), state, stage)
		}
		return got.GetReview()
	}
	next(reviewv1.State_STATE_QUEUED, "")
	if _, err := w.store.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	next(reviewv1.State_STATE_RUNNING, "")
	for _, stage := range []review.Stage{review.StageLoad, review.StageReview, review.StagePublish} {
		if _, err := w.store.SetStage(ctx, id, stage); err != nil {
			t.Fatal(err)
		}
		next(reviewv1.State_STATE_RUNNING, stage)
	}
	if err := w.store.SaveResult(ctx, id, "", &review.Result{Summary: "done"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Finish(ctx, id, review.Clean, ""); err != nil {
		t.Fatal(err)
	}
	if r := next(reviewv1.State_STATE_CLEAN, review.StagePublish); r.GetSummary() != "done" {
		t.Errorf("the end has the summary %q", r.GetSummary())
	}
	if got, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, %v", got, err)
	}
}

func TestWatchingEndsWhenTheGatewayStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stream, err := w.reviews().WatchReview(t.Context(), &reviewv1.WatchReviewRequest{Id: w.deliver(pullRequest()).Review})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	w.stop()
	_, err = stream.Recv()
	expectCode(t, "after the stop", err, codes.Unavailable)
}

func TestCancelReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ctx := w.reviews(), t.Context()
	_, err := c.CancelReview(ctx, &reviewv1.CancelReviewRequest{Id: "x"})
	expectCode(t, "no such review", err, codes.NotFound)
	id := w.deliver(pullRequest()).Review
	for range 2 {
		got, err := c.CancelReview(ctx, &reviewv1.CancelReviewRequest{Id: id})
		if err != nil || got.GetReview().GetState() != reviewv1.State_STATE_CANCELLED || got.GetReview().GetReason() != store.EndedByPerson {
			t.Errorf("cancelled: %v, %v", got, err)
		}
	}
	if n := w.count(`river_job WHERE state = 'cancelled'`); n != 1 {
		t.Errorf("%d jobs are cancelled, want 1", n)
	}
	again := w.deliver(event("reopened", 30, "", headA))
	w.expect(again, http.StatusAccepted, "accepted", "")
}

func TestCallersNeedTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, configured(func(c *gateway.Config) { c.APIToken = config.NewSecret("token") }))
	conn := w.conn()
	for _, method := range reviewv1.ReviewService_ServiceDesc.Methods {
		for name, header := range map[string][]string{
			"none": nil, "another": {"Bearer guess"}, "no scheme": {"token"}, "another scheme": {"Basic token"},
			"two": {"Bearer token", "Bearer token"}, "longer": {"Bearer tokens"},
		} {
			ctx := t.Context()
			for _, value := range header {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
			}
			err := conn.Invoke(ctx, "/openrabbit.review.v1.ReviewService/"+method.MethodName, &reviewv1.GetReviewRequest{}, &reviewv1.GetReviewResponse{})
			expectCode(t, method.MethodName+" with "+name, err, codes.Unauthenticated)
		}
	}
	c := reviewv1.NewReviewServiceClient(conn)
	stream, err := c.WatchReview(t.Context(), &reviewv1.WatchReviewRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	expectCode(t, "WatchReview", err, codes.Unauthenticated)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer token")
	if _, err := c.ListReviews(ctx, &reviewv1.ListReviewsRequest{}); err != nil {
		t.Errorf("with the token: %v", err)
	}
}

func TestHealthTellsTheTruth(t *testing.T) {
	t.Parallel()
	w, l := behind(t)
	health := healthpb.NewHealthClient(w.conn())
	is := func(want healthpb.HealthCheckResponse_ServingStatus) func() bool {
		return func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for _, service := range []string{"", "openrabbit.review.v1.ReviewService"} {
				got, err := health.Check(ctx, &healthpb.HealthCheckRequest{Service: service})
				if err != nil || got.GetStatus() != want {
					return false
				}
			}
			return true
		}
	}
	w.eventually("serving", is(healthpb.HealthCheckResponse_SERVING))
	l.refuse(true)
	w.eventually("not serving without a database", is(healthpb.HealthCheckResponse_NOT_SERVING))
	_, err := w.reviews().ListReviews(t.Context(), &reviewv1.ListReviewsRequest{})
	expectCode(t, "a call without a database", err, codes.Unavailable)
	live := w.request("", nil)
	live.Method, live.URL.Path = http.MethodGet, "/healthz"
	if got := w.send(live); got.code != http.StatusOK {
		t.Errorf("healthz %d: the process lives", got.code)
	}
	l.refuse(false)
	w.eventually("serving again", is(healthpb.HealthCheckResponse_SERVING))
}
