package github_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/post"
)

func at(path string, side diff.Side, start, end int, body string) post.Comment {
	return post.Comment{Anchor: diff.Anchor{Path: path, Side: side, Start: start, End: end}, Body: body}
}

func TestReviewFromDraftToSubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": strings.Replace(lines("line", 20), "line 10\n", "ten\n", 1)})
	f := w.client.Forge(repo, number, "")
	look, err := f.Look(t.Context())
	if err != nil || look.Head != head || !look.Open {
		t.Fatalf("look = %+v, %v", look, err)
	}
	if own, err := f.Own(t.Context()); err != nil || len(own) != 0 {
		t.Fatalf("own = %+v, %v", own, err)
	}
	id, err := f.Draft(t.Context(), head, "<b>Body</b> & more", []post.Comment{
		at("main.go", diff.New, 10, 10, "one line"), at("main.go", diff.Old, 10, 10, "the old line"), at("main.go", diff.New, 9, 11, "a range"),
	})
	if err != nil {
		t.Fatal(err)
	}
	own, err := f.Own(t.Context())
	if err != nil || len(own) != 1 || own[0] != (post.Posted{ID: id, Body: "<b>Body</b> & more", Head: head, Pending: true}) {
		t.Fatalf("own = %+v, %v", own, err)
	}
	if n := len(w.ReviewComments(repo, number)); n != 0 {
		t.Errorf("%d comments are visible before the submit", n)
	}
	if err := f.Submit(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	own, err = f.Own(t.Context())
	if err != nil || len(own) != 1 || own[0].Pending {
		t.Fatalf("own = %+v, %v", own, err)
	}
	review := w.Reviews(repo, number)[0]
	if review.State != "COMMENTED" || review.Author != "openrabbit[bot]" || review.CommitID != head {
		t.Errorf("review = %+v", review)
	}
	type place struct {
		side        string
		start, line int
	}
	var places []place
	for _, c := range review.Comments {
		places = append(places, place{c.Side, c.StartLine, c.Line})
	}
	if want := []place{{"RIGHT", 0, 10}, {"LEFT", 0, 10}, {"RIGHT", 9, 11}}; !slices.Equal(places, want) {
		t.Errorf("places = %v, want %v", places, want)
	}
	for _, r := range w.Requests() {
		if r.Method != "GET" && (strings.Contains(r.Body, "APPROVE") || strings.Contains(r.Body, "REQUEST_CHANGES")) {
			t.Errorf("sent %s", r.Body)
		}
		if r.Route == reviewsRoute && strings.Contains(r.Body, `"event"`) {
			t.Errorf("the draft has an event: %s", r.Body)
		}
	}
	err = f.Submit(t.Context(), id)
	wantKind(t, err, github.Invalid)
	err = f.Discard(t.Context(), id)
	wantKind(t, err, github.Invalid)
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	f := w.client.Forge(repo, number, "openrabbit[bot]")
	id, err := f.Draft(t.Context(), head, "first", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Draft(t.Context(), head, "second", nil)
	var e *github.Error
	if !errors.As(err, &e) || !e.Refused() || e.Gone() || e.Ambiguous() || !strings.Contains(err.Error(), "one pending review") {
		t.Errorf("a second draft: %v", err)
	}
	for range 2 {
		if err := f.Discard(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.Reviews(repo, number)); n != 0 {
		t.Errorf("%d reviews left", n)
	}
	if _, err := f.Draft(t.Context(), head, "second", nil); err != nil {
		t.Error(err)
	}
}

func TestOwnReviewsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	const marker = "<!-- openrabbit:review=1.abc -->"
	for i := range 230 {
		author := "somebody"
		if i%10 == 0 {
			author = "openrabbit[bot]"
		}
		if _, err := w.AddReview(repo, number, githubtest.Review{Author: author, Body: marker}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []githubtest.Review{{Author: "somebody", State: "PENDING", Body: marker}, {Author: "openrabbit[bot]", State: "PENDING", Body: marker}} {
		if _, err := w.AddReview(repo, number, r); err != nil {
			t.Fatal(err)
		}
	}
	own, err := w.client.Forge(repo, number, "").Own(t.Context())
	if err != nil || len(own) != 24 || !own[23].Pending || own[0].Pending {
		t.Errorf("%d own reviews, %v", len(own), err)
	}
	if n := w.Count("GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews"); n != 3 {
		t.Errorf("%d pages, want 3", n)
	}
}

func TestRefusedComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": strings.Replace(lines("line", 20), "line 10\n", "ten\n", 1)})
	f := w.client.Forge(repo, number, "")
	for name, c := range map[string]post.Comment{
		"line must be part of the diff":    at("main.go", diff.New, 1, 1, "x"),
		"path is invalid":                  at("README.md", diff.New, 1, 1, "x"),
		"part of the same hunk":            at("main.go", diff.New, 2, 10, "x"),
		"Body can't be blank":              at("main.go", diff.New, 10, 10, "  "),
		"Body is too long":                 at("main.go", diff.New, 10, 10, strings.Repeat("x", 70_000)),
		"no side":                          at("main.go", diff.SideUnknown, 10, 10, "x"),
		"no place":                         at("main.go", diff.New, 11, 10, "x"),
		"main.go:0-0 (new) has no place":   at("main.go", diff.New, 0, 0, "x"),
		"comment at :1-1 (new) has no pla": at("", diff.New, 1, 1, "x"),
	} {
		_, err := f.Draft(t.Context(), head, "body", []post.Comment{at("main.go", diff.New, 10, 10, "good"), c})
		var e *github.Error
		if !errors.As(err, &e) || e.Kind != github.Invalid || !e.Refused() || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if n := len(w.Reviews(repo, number)); n != 0 {
		t.Errorf("%d reviews after refusals", n)
	}
	// The other thing that GitHub is reported to do.
	w.LeaveOnRefusal(githubtest.LeaveSubmitted)
	if _, err := f.Draft(t.Context(), head, "body", []post.Comment{at("main.go", diff.New, 1, 1, "x")}); err == nil {
		t.Error("not refused")
	}
	if own, err := f.Own(t.Context()); err != nil || len(own) != 1 || own[0].Pending {
		t.Errorf("own = %+v, %v", own, err)
	}
}

func TestRefusalNamesComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	w.Inject(githubtest.Fault{Route: reviewsRoute, Status: 422, Times: 1, Body: `{"message":"Validation Failed","errors":[` +
		`{"resource":"PullRequestReview","code":"custom","field":"comments[2].line","message":"is wrong"},"comments/0/body is long",` +
		`{"resource":"PullRequestReview","code":"missing_field","field":"body"}, 7]}`})
	_, err := w.client.Forge(repo, number, "").Draft(t.Context(), head, "body", nil)
	var e *github.Error
	if !errors.As(err, &e) || !slices.Equal(e.RefusedComments(), []int{0, 2}) || len(e.Details) != 3 {
		t.Errorf("%+v", err)
	}
}

func TestCommitGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	if _, err := w.ForcePush(repo, number, githubtest.With(base(), map[string]string{"main.go": "y\n"})); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.Forge(repo, number, "").Draft(t.Context(), head, "body", nil)
	var e *github.Error
	if !errors.As(err, &e) || !e.Gone() || e.Refused() || e.Ambiguous() {
		t.Errorf("a review of a commit that is gone: %v", err)
	}
	_, err = w.client.CreateCheckRun(t.Context(), repo, head, "id", "t", "s")
	if !errors.As(err, &e) || !e.Gone() || e.Refused() {
		t.Errorf("a check run on a commit that is gone: %v", err)
	}
	if err := w.Lock(repo, number, true); err != nil {
		t.Fatal(err)
	}
	_, err = w.client.CreateComment(t.Context(), repo, number, "hello")
	if !errors.As(err, &e) || e.Kind != github.Forbidden || !e.Gone() {
		t.Errorf("a locked conversation: %v", err)
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	known := func(body string) bool { return strings.Contains(body, "<!-- ours -->") }
	for range 150 {
		if _, err := w.Comment(repo, number, "stranger", "<!-- ours --> planted"); err != nil {
			t.Fatal(err)
		}
	}
	if _, found, err := w.client.FindOwnComment(t.Context(), repo, number, known); err != nil || found {
		t.Fatalf("found %v, %v", found, err)
	}
	if _, err := w.client.CreateComment(t.Context(), repo, number, "something else of ours"); err != nil {
		t.Fatal(err)
	}
	made, err := w.client.CreateComment(t.Context(), repo, number, "<!-- ours --> first")
	if err != nil || made.ID == 0 || made.URL == "" {
		t.Fatalf("%+v, %v", made, err)
	}
	if err := w.client.EditComment(t.Context(), repo, made.ID, "<!-- ours --> second"); err != nil {
		t.Fatal(err)
	}
	got, found, err := w.client.FindOwnComment(t.Context(), repo, number, known)
	if err != nil || !found || got.ID != made.ID || got.Body != "<!-- ours --> second" {
		t.Errorf("%+v, %v, %v", got, found, err)
	}
	if c := w.IssueComments(repo, number); len(c) != 152 || c[151].Edits != 1 || c[151].Author != "openrabbit[bot]" {
		t.Errorf("%d comments", len(c))
	}
	_, err = w.client.CreateComment(t.Context(), repo, number, "")
	wantKind(t, err, github.Invalid)
}

func TestCheckRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	_, head := w.open(t, map[string]string{"main.go": "x\n"})
	id, err := w.client.CreateCheckRun(t.Context(), repo, head, "review-1", "Reviewing", "Stage 1 of 6")
	if err != nil {
		t.Fatal(err)
	}
	run := w.CheckRuns(repo)[0]
	if run.Name != "OpenRabbit" || run.ExternalID != "review-1" || run.Head != head || run.Status != "in_progress" || run.Conclusion != "" || run.Title != "Reviewing" {
		t.Errorf("run = %+v", run)
	}
	other, err := w.client.CreateCheckRun(t.Context(), repo, head, "review-2", "Reviewing", "")
	if err != nil {
		t.Fatal(err)
	}
	found, ok, err := w.client.FindCheckRun(t.Context(), repo, head, "review-1")
	if err != nil || !ok || found.ID != id || found.Completed || found.ReviewID != "review-1" || found.Head != head {
		t.Errorf("%+v, %v, %v", found, ok, err)
	}
	if _, ok, err := w.client.FindCheckRun(t.Context(), repo, head, "review-3"); ok || err != nil {
		t.Errorf("found what is not there: %v", err)
	}
	if err := w.client.UpdateCheckRun(t.Context(), repo, other, github.CheckOutput{Title: "Verifying", Summary: "Stage 5 of 6"}); err != nil {
		t.Fatal(err)
	}
	var marks []github.Annotation
	for i := range 120 {
		marks = append(marks, github.Annotation{Anchor: diff.Anchor{Path: "main.go", Side: diff.New, Start: i + 1, End: i + 1}, Title: "T", Message: "M"})
	}
	marks = append(marks, github.Annotation{Anchor: diff.Anchor{Path: "main.go", Side: diff.Old, Start: 1, End: 1}, Message: "old side"})
	before := len(w.Requests())
	err = w.client.UpdateCheckRun(t.Context(), repo, id, github.CheckOutput{
		Conclusion: github.Neutral, Title: "120 findings", Summary: strings.Repeat("ü", 50_000), DetailsURL: "https://example.com/1", Annotations: marks,
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(w.Requests()) - before; n != 3 {
		t.Errorf("%d requests for 120 annotations, want 3", n)
	}
	run = w.CheckRuns(repo)[0]
	if run.Status != "completed" || run.Conclusion != "neutral" || len(run.Annotations) != 120 || run.DetailsURL != "https://example.com/1" {
		t.Errorf("run = %s %s, %d annotations", run.Status, run.Conclusion, len(run.Annotations))
	}
	if len(run.Summary) > 65_535 || !strings.HasSuffix(run.Summary, "ü…") || run.Annotations[0].Level != "notice" {
		t.Errorf("summary of %d bytes", len(run.Summary))
	}
	if second := w.CheckRuns(repo)[1]; second.Title != "Verifying" || second.Status != "in_progress" {
		t.Errorf("run = %+v", second)
	}
	if found, ok, err := w.client.FindCheckRun(t.Context(), repo, head, "review-1"); err != nil || !ok || !found.Completed || found.Conclusion != github.Neutral {
		t.Errorf("%+v, %v, %v", found, ok, err)
	}
}
