package intake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openrabbit/openrabbit/internal/intake"
	"github.com/openrabbit/openrabbit/internal/review"
)

const (
	headA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	headB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	runID = "0191c1a4-0000-7000-8000-000000000000"
)

var self = intake.Identity{AppID: 5, Login: "openrabbit[bot]"}

// pullRequest is a delivery about a pull request; each edit replaces a piece of text in it.
func pullRequest(edits ...string) []byte {
	return edited(`{"action":"opened","number":12,"before":null,
		"pull_request":{"number":12,"state":"open","draft":true,"updated_at":"2026-11-01T12:00:00Z",
			"user":{"login":"ann","type":"User"},"head":{"sha":"`+headA+`","repo":{"full_name":"ann/fork","id":9}},
			"changed_files":3,"additions":10,"deletions":2,"labels":[{"id":1,"name":"x"}],"auto_merge":null},
		"repository":{"id":70,"full_name":"acme/shop","default_branch":"main","owner":{"login":"acme","id":1}},
		"installation":{"id":7,"node_id":"MDIz"},
		"sender":{"login":"ann","type":"User"}}`, edits...)
}

func edited(text string, edits ...string) []byte {
	return []byte(strings.NewReplacer(edits...).Replace(text))
}

const bot = `{"login":"fixer[bot]","type":"Bot"}`

func TestPullRequests(t *testing.T) {
	t.Parallel()
	type want struct {
		kind   intake.Kind
		reason intake.Reason
	}
	for name, c := range map[string]struct {
		edits []string
		want  want
	}{
		"opened":           {nil, want{kind: intake.Review}},
		"reopened":         {[]string{`"opened"`, `"reopened"`}, want{kind: intake.Review}},
		"synchronize":      {[]string{`"opened"`, `"synchronize"`, `"before":null`, `"before":"` + headB + `"`}, want{kind: intake.Review}},
		"ready":            {[]string{`"opened"`, `"ready_for_review"`}, want{kind: intake.Review}},
		"closed":           {[]string{`"opened"`, `"closed"`, `"open"`, `"closed"`}, want{kind: intake.Close}},
		"to draft":         {[]string{`"opened"`, `"converted_to_draft"`}, want{intake.Ignore, intake.NothingToDo}},
		"labeled":          {[]string{`"opened"`, `"labeled"`}, want{intake.Ignore, intake.NothingToDo}},
		"title edited":     {[]string{`"opened"`, `"edited"`, `"before":null`, `"changes":{"title":{"from":"x"}}`}, want{intake.Ignore, intake.NothingToDo}},
		"base edited":      {[]string{`"opened"`, `"edited"`, `"before":null`, `"changes":{"base":{"ref":{"from":"x"}}}`}, want{kind: intake.Review}},
		"unknown action":   {[]string{`"opened"`, `"levitated"`}, want{intake.Ignore, intake.UnknownAction}},
		"no action":        {[]string{`"action":"opened",`, ``}, want{intake.Ignore, intake.UnknownAction}},
		"null action":      {[]string{`"opened"`, `null`}, want{intake.Ignore, intake.UnknownAction}},
		"no installation":  {[]string{`"installation":{"id":7,"node_id":"MDIz"},`, ``}, want{intake.Ignore, intake.NoInstallation}},
		"null one":         {[]string{`{"id":7,"node_id":"MDIz"}`, `null`}, want{intake.Ignore, intake.NoInstallation}},
		"null pull":        {[]string{`"head":{`, `"tail":{`}, want{intake.Ignore, intake.MissingField}},
		"null repository":  {[]string{`"repository":{`, `"repository":null,"r":{`}, want{intake.Ignore, intake.MissingField}},
		"no time":          {[]string{`"updated_at"`, `"x"`}, want{intake.Ignore, intake.MissingField}},
		"no number":        {[]string{`"number":12,"before"`, `"before"`}, want{intake.Ignore, intake.MissingField}},
		"a bot's":          {[]string{`"user":{"login":"ann","type":"User"}`, `"user":` + bot, `"sender":{"login":"ann","type":"User"}`, `"sender":` + bot}, want{intake.Ignore, intake.BotAuthor}},
		"a bot's, pushed":  {[]string{`"opened"`, `"synchronize"`, `"user":{"login":"ann","type":"User"}`, `"user":` + bot}, want{intake.Ignore, intake.BotAuthor}},
		"by a bot":         {[]string{`"sender":{"login":"ann","type":"User"}`, `"sender":` + bot}, want{intake.Ignore, intake.BotAuthor}},
		"pushed by a bot":  {[]string{`"opened"`, `"synchronize"`, `"sender":{"login":"ann","type":"User"}`, `"sender":` + bot}, want{kind: intake.Review}},
		"closed by a bot":  {[]string{`"opened"`, `"closed"`, `"sender":{"login":"ann","type":"User"}`, `"sender":` + bot}, want{kind: intake.Close}},
		"by ourselves":     {[]string{`"opened"`, `"synchronize"`, `"sender":{"login":"ann"`, `"sender":{"login":"OpenRabbit[bot]"`}, want{intake.Ignore, intake.OwnEvent}},
		"of a closed one":  {[]string{`"opened"`, `"synchronize"`, `"state":"open"`, `"state":"closed"`}, want{intake.Ignore, intake.PullRequestClosed}},
		"a bot's, closing": {[]string{`"opened"`, `"closed"`, `"user":{"login":"ann","type":"User"}`, `"user":` + bot}, want{kind: intake.Close}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := intake.Decide("pull_request", pullRequest(c.edits...), self)
			if err != nil {
				t.Fatal(err)
			}
			if got := (want{d.Kind, d.Reason}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if (d.Meaning == "") != (d.Kind == intake.Ignore) {
				t.Errorf("kind %s with meaning %q", d.Kind, d.Meaning)
			}
		})
	}
}

func TestADecisionHasWhatThePayloadSays(t *testing.T) {
	t.Parallel()
	got, err := intake.Decide("pull_request", pullRequest(`"opened"`, `"synchronize"`, `"before":null`, `"before":"`+headB+`"`), self)
	if err != nil {
		t.Fatal(err)
	}
	want := intake.Decision{
		Kind: intake.Review, Action: "synchronize", InstallationID: 7,
		Repository: intake.Repository{ID: 70, Name: "acme/shop", DefaultBranch: "main"},
		Number:     12, Head: headA, Before: headB, EventAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		Meaning: "pull_request/synchronize/70/12/" + headA + "/1793534400",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLargePullRequests(t *testing.T) {
	t.Parallel()
	for edit, large := range map[string]bool{
		`"changed_files":100`: false, `"changed_files":101`: true,
		`"additions":3998`: false, `"additions":3999`: true, `"deletions":4000`: true,
	} {
		name, _, _ := strings.Cut(edit, ":")
		was := map[string]string{`"changed_files"`: `"changed_files":3`, `"additions"`: `"additions":10`, `"deletions"`: `"deletions":2`}[name]
		d, err := intake.Decide("pull_request", pullRequest(was, edit), self)
		if err != nil || d.Large != large {
			t.Errorf("%s: large %v, %v", edit, d.Large, err)
		}
	}
}

func TestMeaning(t *testing.T) {
	t.Parallel()
	meaning := func(edits ...string) string {
		t.Helper()
		d, err := intake.Decide("pull_request", pullRequest(edits...), self)
		if err != nil || d.Meaning == "" {
			t.Fatalf("no meaning: %+v, %v", d, err)
		}
		return d.Meaning
	}
	first := meaning()
	for name, edits := range map[string][]string{
		"a replay":                  nil,
		"a hook of the repository":  {`"node_id":"MDIz"`, `"node_id":"other"`, `"labels":[{"id":1,"name":"x"}]`, `"labels":[]`},
		"white space and new lines": {`":`, "\" :\n "},
		"another zone":              {`2026-11-01T12:00:00Z`, `2026-11-01T13:00:00+01:00`},
	} {
		if got := meaning(edits...); got != first {
			t.Errorf("%s: meaning %q, want %q", name, got, first)
		}
	}
	for name, edits := range map[string][]string{
		"reopened later":      {`"opened"`, `"reopened"`, `12:00:00Z`, `12:00:09Z`},
		"another head":        {headA, headB},
		"another number":      {`"number":12`, `"number":13`},
		"another repository":  {`"id":70`, `"id":71`},
		"another action":      {`"opened"`, `"ready_for_review"`},
		"the same, but later": {`12:00:00Z`, `12:00:01Z`},
	} {
		if got := meaning(edits...); got == first {
			t.Errorf("%s means the same", name)
		}
	}
}

func TestOtherEvents(t *testing.T) {
	t.Parallel()
	common := `"repository":{"id":70,"full_name":"acme/shop","default_branch":"main"},"installation":{"id":7},"sender":{"login":"ann","type":"User"}}`
	byBot := strings.Replace(common, `{"login":"ann","type":"User"}`, bot, 1)
	byUs := strings.Replace(common, `{"login":"ann","type":"User"}`, `{"login":"openrabbit[bot]","type":"Bot"}`, 1)
	check := `{"action":"rerequested","check_run":{"id":3,"head_sha":"` + headA + `","external_id":"` + runID + `","completed_at":"2026-11-01T12:00:00Z","app":{"id":5}},` + common
	install := `"installation":{"id":7,"account":{"login":"acme"},"updated_at":1525109899},"sender":{"login":"ann","type":"User"}}`
	shop := []intake.Repository{{ID: 70, Name: "acme/shop"}}
	full := []intake.Repository{{ID: 70, Name: "acme/shop", DefaultBranch: "main"}}
	for name, c := range map[string]struct {
		event, payload string
		want           intake.Decision
	}{
		"ping":               {"ping", `{"zen":"x","hook_id":1,"hook":{"type":"App"}}`, intake.Decision{Kind: intake.Ping}},
		"ping of a hook":     {"ping", `{"zen":"x",` + common, intake.Decision{Kind: intake.Ping}},
		"nothing known":      {"levitation", `{"action":"begun","number":"twelve","pull_request":[1]}`, intake.Decision{Kind: intake.Ignore, Reason: intake.UnknownEvent, Action: "begun"}},
		"push":               {"push", `{"before":"` + headA + `",` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.NotSupportedYet}},
		"comment":            {"issue_comment", `{"action":"created","comment":{"user":{"login":"ann","type":"User"},"body":"/review"},` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.NotSupportedYet}},
		"own comment":        {"issue_comment", `{"action":"created","comment":{"user":{"login":"openrabbit[bot]","type":"Bot"}},` + byUs, intake.Decision{Kind: intake.Ignore, Reason: intake.OwnEvent}},
		"comment through us": {"pull_request_review_comment", `{"action":"created","comment":{"user":{"login":"ann","type":"User"},"performed_via_github_app":{"id":5}},` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.OwnEvent}},
		"a bot's comment":    {"issue_comment", `{"action":"created","comment":{"user":` + bot + `},` + byBot, intake.Decision{Kind: intake.Ignore, Reason: intake.BotAuthor}},
		"our own review":     {"pull_request_review", `{"action":"submitted","review":{"user":{"login":"openrabbit[bot]","type":"Bot"}},` + byUs, intake.Decision{Kind: intake.Ignore, Reason: intake.OwnEvent}},
		"thread":             {"pull_request_review_thread", `{"action":"resolved","thread":{},` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.NotSupportedYet}},
		"re-run": {"check_run", check, intake.Decision{
			Kind: intake.Rerun, Head: headA, ReviewID: runID,
			Meaning: "check_run/rerequested/70/3/" + runID + "/2026-11-01T12:00:00Z",
		}},
		"another App's check": {"check_run", strings.Replace(check, `"app":{"id":5}`, `"app":{"id":6}`, 1), intake.Decision{Kind: intake.Ignore, Reason: intake.NotOurCheck, Head: headA}},
		"a check of no review": {"check_run", strings.Replace(check, runID, "build-17", 1), intake.Decision{
			Kind: intake.Ignore, Reason: intake.NotOurCheck, Head: headA,
		}},
		"re-run by a bot":      {"check_run", strings.Replace(check, common, byBot, 1), intake.Decision{Kind: intake.Ignore, Reason: intake.BotAuthor, Head: headA}},
		"check completed":      {"check_run", strings.Replace(check, "rerequested", "completed", 1), intake.Decision{Kind: intake.Ignore, Reason: intake.NothingToDo, Head: headA}},
		"checks done":          {"check_suite", `{"action":"completed",` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.NothingToDo}},
		"all re-run, of whom?": {"check_suite", `{"action":"rerequested",` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.NotOurCheck}},
		"all of another's": {"check_suite", `{"action":"rerequested","check_suite":{"id":9,"head_sha":"` + headA + `","app":{"id":6}},` + common,
			intake.Decision{Kind: intake.Ignore, Reason: intake.NotOurCheck, Head: headA}},
		"all of no head": {"check_suite", `{"action":"rerequested","check_suite":{"id":9,"head_sha":null,"app":{"id":5}},` + common,
			intake.Decision{Kind: intake.Ignore, Reason: intake.MissingField}},
		"all re-run": {"check_suite", `{"action":"rerequested","check_suite":{"id":9,"head_sha":"` + headA + `","updated_at":"t","app":{"id":5}},` + common,
			intake.Decision{Kind: intake.Rerun, Head: headA, Meaning: "check_suite/rerequested/70/9/" + headA + "/t"}},
		"installed":       {"installation", `{"action":"created","repositories":[{"id":70,"full_name":"acme/shop"}],` + install, intake.Decision{Kind: intake.Install, Account: "acme", Added: shop, Meaning: "installation/created/7/1525109899"}},
		"uninstalled":     {"installation", `{"action":"deleted",` + install, intake.Decision{Kind: intake.Uninstall, Account: "acme", Meaning: "installation/deleted/7/1525109899"}},
		"suspended":       {"installation", `{"action":"suspend",` + install, intake.Decision{Kind: intake.Suspend, Account: "acme", Meaning: "installation/suspend/7/1525109899"}},
		"unsuspended":     {"installation", `{"action":"unsuspend",` + install, intake.Decision{Kind: intake.Unsuspend, Account: "acme", Meaning: "installation/unsuspend/7/1525109899"}},
		"permissions":     {"installation", `{"action":"new_permissions_accepted",` + install, intake.Decision{Kind: intake.Ignore, Reason: intake.NothingToDo, Account: "acme"}},
		"of nothing":      {"installation", `{"action":"deleted","installation":null}`, intake.Decision{Kind: intake.Ignore, Reason: intake.NoInstallation}},
		"added":           {"installation_repositories", `{"action":"added","repositories_added":[{"id":70,"full_name":"acme/shop"}],"repositories_removed":[],` + install, intake.Decision{Kind: intake.Repositories, Account: "acme", Added: shop}},
		"removed":         {"installation_repositories", `{"action":"removed","repositories_removed":[{"id":70,"full_name":"acme/shop"}],` + install, intake.Decision{Kind: intake.Repositories, Account: "acme", Removed: shop}},
		"renamed":         {"repository", `{"action":"renamed",` + common, intake.Decision{Kind: intake.Repositories, Added: full}},
		"deleted":         {"repository", `{"action":"deleted",` + common, intake.Decision{Kind: intake.Repositories, Removed: full, Meaning: "repository/deleted/70"}},
		"archived":        {"repository", `{"action":"archived",` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.NothingToDo}},
		"nobody's rename": {"repository", `{"action":"renamed","repository":{"id":70,"full_name":"acme/shop"}}`, intake.Decision{Kind: intake.Ignore, Reason: intake.NoInstallation}},
		"an odd action":   {"repository", `{"action":"<script>",` + common, intake.Decision{Kind: intake.Ignore, Reason: intake.UnknownAction}},
		"another odd one": {"installation_repositories", `{"action":"blessed",` + install, intake.Decision{Kind: intake.Ignore, Reason: intake.UnknownAction}},
		"nothing at all":  {"pull_request", `{}`, intake.Decision{Kind: intake.Ignore, Reason: intake.UnknownAction}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := intake.Decide(c.event, []byte(c.payload), self)
			if err != nil {
				t.Fatal(err)
			}
			// What is copied from the payload is checked elsewhere.
			c.want.Repository, c.want.InstallationID = got.Repository, got.InstallationID
			if c.want.Action == "" {
				c.want.Action = got.Action
			}
			if c.want.Reason == intake.NoInstallation {
				c.want.Added, c.want.Account = got.Added, got.Account
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if strings.Contains(got.Action, "<") {
				t.Errorf("the action %q was kept", got.Action)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"nothing":                "",
		"no JSON":                "payload=x",
		"cut short":              string(pullRequest()[:200]),
		"two values":             string(pullRequest()) + "{}",
		"an array":               "[]",
		"null":                   "null",
		"a byte order mark":      "\ufeff{}",
		"not UTF-8":              "{\"a\":\"\xff\"}",
		"deep arrays":            `{"a":` + strings.Repeat("[", 100_000),
		"deep objects":           strings.Repeat(`{"a":`, 100_000),
		"deep and closed":        `{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		"a key twice":            string(pullRequest(`"number":12,"before"`, `"action":"closed","number":12,"before"`)),
		"a key twice below":      string(pullRequest(`"draft":true`, `"draft":true,"draft":false`)),
		"a key twice, escaped":   `{"action":"opened","\u0061ction":"closed"}`,
		"a key twice, of many":   `{` + manyKeys(300) + `"k7":1}`,
		"a key twice, unread":    `{"x":{"y":[{"z":1,"z":2}]}}`,
		"very many keys":         `{` + manyKeys(5000) + `"last":1}`,
		"a huge number":          string(pullRequest(`"id":70`, `"id":1e999999`)),
		"a huge number, unread":  `{"x":` + strings.Repeat("9", 100_000) + `}`,
		"an id beyond 64 bits":   string(pullRequest(`"id":70`, `"id":99999999999999999999`)),
		"a fraction as id":       string(pullRequest(`"id":70`, `"id":70.5`)),
		"a negative id":          string(pullRequest(`"id":70`, `"id":-70`)),
		"a number beyond 32":     string(pullRequest(`"number":12,"before"`, `"number":4294967308,"before"`)),
		"text for a number":      string(pullRequest(`"number":12,"before"`, `"number":"12","before"`)),
		"a number for text":      string(pullRequest(`"opened"`, `7`)),
		"a list for an object":   string(pullRequest(`"repository":{`, `"repository":[],"r":{`)),
		"no SHA":                 string(pullRequest(headA, "main")),
		"an upper-case SHA":      string(pullRequest(headA, strings.ToUpper(headA))),
		"no name":                string(pullRequest(`acme/shop`, `acme`)),
		"a name with a path":     string(pullRequest(`acme/shop`, `acme/../shop`)),
		"a name with a NUL":      string(pullRequest(`acme/shop`, `acme/sh\u0000op`)),
		"a time that is none":    string(pullRequest(`2026-11-01T12:00:00Z`, `yesterday`)),
		"a time long ago":        string(pullRequest(`2026-11-01T12:00:00Z`, `0000-01-01T00:00:00Z`)),
		"a count below zero":     string(pullRequest(`"additions":10`, `"additions":-1`)),
		"a long text":            string(pullRequest(`"opened"`, `"`+strings.Repeat("a", 2000)+`"`)),
		"a control character":    "{\"a\":\"\n\"}",
		"a wrong escape":         `{"a":"\x"}`,
		"a cut escape":           `{"a":"\u12`,
		"a trailing comma":       `{"a":1,}`,
		"a trailing comma below": `{"a":[1,]}`,
		"a leading zero":         `{"a":01}`,
		"a lone minus":           `{"a":-}`,
		"NaN":                    `{"a":NaN}`,
		"single quotes":          `{'a':1}`,
		"a comment":              `{"a":1/**/}`,
		"no colon":               `{"a"1}`,
		"half a word":            `{"a":tru}`,
		"a longer word":          `{"a":nullx}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := intake.Decide("pull_request", []byte(payload), self)
			if !errors.Is(err, intake.ErrMalformed) {
				t.Fatalf("%+v, %v: want ErrMalformed", d, err)
			}
			if len(err.Error()) > 200 {
				t.Errorf("the error has %d bytes: it quotes the payload", len(err.Error()))
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	return b.String()
}

func TestEscapesAndOddWhiteSpaceAreRead(t *testing.T) {
	t.Parallel()
	d, err := intake.Decide("installation", []byte(" {\r\n\t\"\\u0061ction\" :\"cr\\u0065ated\", \"x\": \"\\ud83d\\ude00\\ud83d\\/\\b\\f\\n\\r\\t\\\\\\\"\","+
		"\"installation\":{\"id\":7,\"account\":{\"login\":\"\\ud83d\\ude00\\ud83dx\"}}} \n"), self)
	if err != nil || d.Kind != intake.Install || d.Account != "\U0001F600\uFFFDx" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestReviewIDIsLowerCase(t *testing.T) {
	t.Parallel()
	d, err := intake.Decide("check_run", []byte(`{"action":"rerequested","check_run":{"id":3,"external_id":"`+strings.ToUpper(runID)+`","app":{"id":5}},
		"repository":{"id":70,"full_name":"acme/shop"},"installation":{"id":7},"sender":{"login":"ann","type":"User"}}`), self)
	if err != nil || d.ReviewID != review.ID(runID) {
		t.Errorf("review %q, %v", d.ReviewID, err)
	}
}
