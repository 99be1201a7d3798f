package githubtest

import (
	"bytes"
	"context"
	_ "embed" // the description
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// To renew the excerpt, unpack the npm package @octokit/openapi beside this file, run this, and put the package's version
// into openapi-NOTICE.txt.
//go:generate go run ./excerpt -from package/generated/api.github.com.json -operations operations.txt -to openapi.json

//go:embed openapi.json
var openapiJSON []byte

// description is GitHub's OpenAPI description, or the part of it that operations.txt names.
type description struct{ doc *openapi3.T }

// loadDescription parses the description once for all servers of a process: it is the same and never changed.
var loadDescription = sync.OnceValues(func() (*description, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapiJSON)
	if err != nil {
		return nil, fmt.Errorf("load github's description: %w", err)
	}
	if err := correct(doc); err != nil {
		return nil, err
	}
	return &description{doc: doc}, nil
})

// correct mends what the description says wrongly.
//
//   - GET /app/installations: an account is a user or an enterprise; the description wants it to be both at once. It has
//     it right for GET /app/installations/{installation_id}.
func correct(doc *openapi3.T) error {
	media := doc.Paths.Value("/app/installations").Get.Responses.Status(http.StatusOK).Value.Content.Get("application/json")
	account := media.Schema.Value.Items.Value.Properties["account"]
	if account == nil || len(account.Value.AllOf) != 2 {
		return errors.New("github's description of installations has changed: look whether it still needs to be corrected")
	}
	account.Value.AnyOf, account.Value.AllOf = account.Value.AllOf, nil
	return nil
}

// Operations gives the names of all operations that the server answers: "GET /repos/{owner}/{repo}".
func Operations() []string {
	var all []string
	for _, r := range routes() {
		if r.outside == nil {
			all = append(all, r.String())
		}
	}
	return all
}

// deviation gives the reason why GitHub may give an answer that its description does not have, "" when there is none.
func deviation(op *openapi3.Operation, r *request, a answer) string {
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	described := op.Responses.Status(a.status) != nil
	switch {
	case a.status == http.StatusOK && media == "application/vnd.github.diff" && strings.HasSuffix(r.route.template, "/pulls/{pull_number}"):
		return "the diff media type of a pull request is in the documentation, and in the description only for compare"
	case a.status == http.StatusOK && media == "application/vnd.github.raw+json" && strings.HasSuffix(r.route.template, "/contents/{path}"):
		return "the raw media type is in the documentation and not in the description"
	case a.status == http.StatusOK && media == "application/vnd.github.diff":
		return "described as a string, which our validator takes for JSON"
	case described:
		return ""
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusTooManyRequests:
		return "every operation may refuse the caller or be limited; the description says so for some"
	case a.status == http.StatusNotFound, a.status == http.StatusUnprocessableEntity, a.status == http.StatusBadRequest:
		return "on every operation GitHub hides what a caller may not see and refuses what does not fit"
	case a.status >= http.StatusInternalServerError:
		return "every server fails at times"
	}
	return ""
}

// input makes what the validator wants. The route is ours, so its operation is looked up and not searched for.
func (d *description) input(r *request) (*openapi3filter.RequestValidationInput, error) {
	item := d.doc.Paths.Value(r.route.template)
	if item == nil || item.GetOperation(r.route.method) == nil {
		return nil, fmt.Errorf("%s is not in the description", r.route)
	}
	copied := r.Clone(context.Background())
	copied.Body = io.NopCloser(bytes.NewReader(r.body))
	copied.ContentLength = int64(len(r.body))
	return &openapi3filter.RequestValidationInput{
		Request: copied, PathParams: r.params, QueryParams: r.query,
		Route: &routers.Route{
			Spec: d.doc, Path: r.route.template, PathItem: item, Method: r.route.method, Operation: item.GetOperation(r.route.method),
		},
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true},
	}, nil
}

func (d *description) checkRequest(r *request) error {
	in, err := d.input(r)
	if err != nil {
		return err
	}
	return brief(openapi3filter.ValidateRequest(context.Background(), in))
}

func (d *description) checkAnswer(r *request, a answer) error {
	in, err := d.input(r)
	if err != nil {
		return err
	}
	if deviation(in.Route.Operation, r, a) != "" {
		return nil
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header, Options: in.Options,
	}
	out.SetBodyBytes(a.body)
	return brief(openapi3filter.ValidateResponse(context.Background(), out))
}

// brief keeps the first line of each of the validator's complaints: the rest prints schemas and values.
func brief(err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for _, part := range strings.Split(err.Error(), " | ") {
		if line, _, _ := strings.Cut(part, "\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return errors.New(strings.Join(lines, "; "))
}
