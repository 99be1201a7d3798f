package github_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github"
)

// oddPages serves reviews from pages that a test makes up: ids and the number of the next page.
func oddPages(t *testing.T, pages map[string]string, next map[string]string) *github.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("page")
		if n := next[page]; n != "" {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%s>; rel="next"`, r.Host, r.URL.Path, n))
		}
		var items []string
		for _, id := range strings.Fields(pages[page]) {
			items = append(items, fmt.Sprintf(`{"id":%s,"user":{"login":"Me"},"state":"COMMENTED","body":"b","commit_id":"c"}`, id))
		}
		fmt.Fprintf(w, "[%s]", strings.Join(items, ","))
	}))
	t.Cleanup(server.Close)
	c, err := github.NewTokenClient(config.NewSecret("token"), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOddListings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages, next map[string]string
		want        string
		kind        github.Kind
	}{
		"one page":         {map[string]string{"1": "1 2"}, nil, "1 2", github.KindUnknown},
		"an empty one":     {map[string]string{"1": "1", "2": "", "3": "3"}, map[string]string{"1": "2", "2": "3"}, "1 3", github.KindUnknown},
		"a review twice":   {map[string]string{"1": "1 2", "2": "2 3"}, map[string]string{"1": "2"}, "1 2 3", github.KindUnknown},
		"a page left out":  {map[string]string{"1": "1", "5": "9"}, map[string]string{"1": "5"}, "1 9", github.KindUnknown},
		"going in circles": {map[string]string{"1": "1", "2": "2"}, map[string]string{"1": "2", "2": "1"}, "", github.Unavailable},
		"standing still":   {map[string]string{"1": "1"}, map[string]string{"1": "1"}, "", github.Unavailable},
	} {
		own, err := oddPages(t, c.pages, c.next).Forge(repo, 1, "me").Own(t.Context())
		var ids []string
		for _, o := range own {
			ids = append(ids, fmt.Sprint(o.ID))
		}
		if got := strings.Join(ids, " "); got != c.want || github.KindOf(err) != c.kind {
			t.Errorf("%s: %q, %v; want %q and %q", name, got, err, c.want, c.kind)
		}
	}
	endless := map[string]string{}
	for i := range 300 {
		endless[fmt.Sprint(i+1)] = fmt.Sprint(i + 2)
	}
	own, err := oddPages(t, nil, endless).Forge(repo, 1, "me").Own(t.Context())
	if github.KindOf(err) != github.TooLarge || own != nil {
		t.Errorf("endless pages: %v", err)
	}
}
