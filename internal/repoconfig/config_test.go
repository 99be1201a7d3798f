package repoconfig_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/openrabbit/openrabbit/internal/repoconfig"
)

func TestSkip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, config string
		pull         repoconfig.PullRequest
		want         string // part of the reason; empty means reviewed
	}{
		{name: "plain", pull: repoconfig.PullRequest{Base: "main"}},
		{name: "off", config: "enabled: false", want: "switched off"},
		{name: "draft", pull: repoconfig.PullRequest{Draft: true}, want: "draft"},
		{name: "drafts wanted", config: "reviews: {drafts: true}", pull: repoconfig.PullRequest{Draft: true}},
		{name: "ignored label", config: "reviews: {labels: {ignore: [WIP]}}", pull: repoconfig.PullRequest{Labels: []string{"a", "wip"}}, want: `"wip"`},
		{name: "required label missing", config: "reviews: {labels: {require: [ready]}}", pull: repoconfig.PullRequest{Labels: []string{"a"}}, want: "ready"},
		{name: "required label", config: "reviews: {labels: {require: [ready, b]}}", pull: repoconfig.PullRequest{Labels: []string{"B"}}},
		{name: "ignore wins", config: "reviews: {labels: {require: [a], ignore: [b]}}", pull: repoconfig.PullRequest{Labels: []string{"a", "b"}}, want: `"b"`},
		{name: "base", config: "reviews: {base_branches: [main, 'release/*']}", pull: repoconfig.PullRequest{Base: "release/1.2"}},
		{name: "other base", config: "reviews: {base_branches: [main, 'release/*']}", pull: repoconfig.PullRequest{Base: "feature"}, want: `"feature"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, problems := repoconfig.Parse([]byte(tt.config))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got := c.Skip(tt.pull)
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	c, _ := repoconfig.Parse([]byte(everything))
	o := c.Options()
	if o.MaxComments >= 0 || o.MinConfidence != 0.7 || o.Language != "pt-BR" || len(o.Instructions) != 1 || o.Exclude[0] != "src/legacy/**" {
		t.Errorf("got %+v", o)
	}
	if o := (repoconfig.Config{}).Options(); o.MinConfidence >= 0 {
		t.Errorf("no threshold became %v", o.MinConfidence)
	}
}

// The worst patterns that are let through cost little, whatever the path.
func TestWorstGlobsAreCheap(t *testing.T) {
	t.Parallel()
	paths := []string{strings.Repeat("a", 250), strings.Repeat("a/", 500) + "b", strings.Repeat("aa/", 300)}
	for _, pattern := range []string{
		"**/a*a*a*a*a*b", "*a*a*a*a*a*a*a*a*a*a*ab", "**/a/**/a/**/a/**/c", "{a,aa}{a,aa}{a,aa}**c", "**/{a,**/a}/{a,**/a}/c", "a*{a*,aa*}{a*,aa*}{a*,aa*}b",
	} {
		c, problems := repoconfig.Parse([]byte("reviews:\n  path_filters: [\"" + pattern + "\"]"))
		if len(problems) > 0 {
			t.Logf("%s: %v", pattern, problems)
			continue
		}
		for _, path := range paths {
			start := time.Now()
			doublestar.MatchUnvalidated(c.Reviews.Include[0], path)
			if d := time.Since(start); d > 200*time.Millisecond {
				t.Errorf("%s took %v on a path of %d bytes", pattern, d, len(path))
			}
		}
	}
}

// The page for users shows an example that is valid and names every key.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("no example")
	}
	c, problems := repoconfig.Parse(example[1])
	if len(problems) > 0 || reflect.DeepEqual(c, repoconfig.Default()) {
		t.Errorf("the example gives %+v, problems %v", c, problems)
	}
	source, err := os.ReadFile("decode.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range regexp.MustCompile(`(?m)^\s+"([a-z_]+)":\s+func`).FindAllSubmatch(source, -1) {
		if !regexp.MustCompile("[`.]" + string(key[1]) + "[`.]").Match(page) {
			t.Errorf("the page does not tell of %s", key[1])
		}
	}
}
