package finding

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// at makes a finding for comparisons.
func at(start, end int, category Category, title string) Finding {
	return Finding{
		Path: "x.go", Anchor: diff.Anchor{Path: "x.go", Side: diff.New, Start: start, End: end}, Category: category, Title: title,
		Quote: "user := users[id]\nfor i := 0; i <= len(users); i++ { total += users[i].Age }\nfile, _ := os.Open(name)\ndefer conn.Close()",
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	with := func(f Finding, change func(*Finding)) Finding { change(&f); return f }
	nilUser := at(1, 2, Bug, "`user` may be nil")
	tests := map[string]struct {
		a, b Finding
		want bool
	}{
		"equal":                     {nilUser, nilUser, true},
		"other words":               {nilUser, at(1, 2, Bug, "Missing nil check of `user`"), false}, // conservative: another check may be meant
		"the same turned around":    {at(1, 2, Bug, "Missing nil check on `user`"), at(1, 2, Bug, "`user` is not checked for null"), true},
		"a synonym":                 {nilUser, at(1, 2, Bug, "`user` can be null"), true},
		"overlapping lines":         {nilUser, at(2, 3, Bug, "`user` may be nil"), true},
		"nearly the same title":     {at(1, 1, Bug, "Off-by-one in the loop over `users`"), at(1, 1, Maintainability, "Off-by-one in loop over `users`"), true},
		"punctuation and case":      {at(1, 1, Bug, "The error of os.Open is ignored."), at(1, 1, Bug, "the error of os.Open is ignored"), true},
		"leaks in two wordings":     {at(3, 3, Bug, "`file` leaks"), at(3, 3, Bug, "Leak of `file`"), true},
		"another name":              {nilUser, at(1, 2, Bug, "`name` may be nil"), false},
		"another problem":           {nilUser, at(1, 2, Bug, "Off-by-one in the loop over `users`"), false},
		"another name in the words": {at(3, 3, Bug, "Possible nil dereference of file"), at(3, 3, Bug, "Possible nil dereference of conn"), false},
		"closed twice or never":     {at(4, 4, Bug, "`conn` is closed twice"), at(4, 4, Bug, "`conn` is never closed"), false},
		"leak or double close":      {at(4, 4, Bug, "`conn` leaks"), at(4, 4, Bug, "`conn` is closed twice"), false},
		"race or deadlock":          {at(4, 4, Concurrency, "Data race on `conn`"), at(4, 4, Concurrency, "Deadlock on `conn`"), false},
		"other lines":               {nilUser, at(3, 4, Bug, "`user` may be nil"), false},
		"another category":          {at(1, 1, Bug, "Unbounded loop over users"), at(1, 1, Performance, "Loop over users queries each"), false},
		"the other side":            {nilUser, with(nilUser, func(f *Finding) { f.Anchor.Side = diff.Old }), false},
		"another file":              {nilUser, with(nilUser, func(f *Finding) { f.Path = "y.go" }), false},
		"no title":                  {at(1, 1, Bug, ""), at(1, 1, Bug, ""), false},
		"only words of no meaning":  {at(1, 1, Bug, "This should be used"), at(1, 1, Bug, "It could be that"), false},
		"one rule, one title":       {with(nilUser, func(f *Finding) { f.Rule = "secret" }), with(nilUser, func(f *Finding) { f.Rule = "secret" }), true},
		"two rules":                 {with(nilUser, func(f *Finding) { f.Rule = "secret" }), with(nilUser, func(f *Finding) { f.Rule = "syntax_error" }), false},
		"one rule, two secrets":     {with(at(1, 1, Security, "An AWS key is in the code"), func(f *Finding) { f.Rule = "secret" }), with(at(1, 1, Security, "A GitHub token is in the code"), func(f *Finding) { f.Rule = "secret" }), false},
		"a rule and a model":        {with(at(1, 1, Security, "An AWS secret key is in the code"), func(f *Finding) { f.Rule = "secret" }), at(1, 1, Security, "AWS credentials hard-coded in the code"), true},
		"without lines":             {with(nilUser, func(f *Finding) { f.Anchor = diff.Anchor{} }), with(nilUser, func(f *Finding) { f.Anchor = diff.Anchor{}; f.Quote = "  " + f.Quote }), true},
		"without lines, other code": {with(nilUser, func(f *Finding) { f.Anchor = diff.Anchor{} }), with(nilUser, func(f *Finding) { f.Anchor, f.Quote = diff.Anchor{}, "user" }), false},
		"without lines or code":     {with(nilUser, func(f *Finding) { f.Anchor, f.Quote = diff.Anchor{}, "" }), with(nilUser, func(f *Finding) { f.Anchor, f.Quote = diff.Anchor{}, "" }), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Same(test.a, test.b); got != test.want {
				t.Errorf("got %v for %q and %q", got, test.a.Title, test.b.Title)
			}
			if Same(test.a, test.b) != Same(test.b, test.a) {
				t.Error("the order matters")
			}
		})
	}
}

func TestDedupeAndRankDoNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	fs := []Finding{
		at(1, 2, Bug, "`user` may be nil"), at(1, 2, Bug, "`user` can be null"), at(1, 2, Bug, "Off-by-one in the loop over `users`"),
		at(3, 3, Bug, "`file` leaks"), at(3, 3, Bug, "Leak of `file`"), at(9, 9, Security, "SQL injection"), at(4, 4, Bug, "`conn` is closed twice"),
	}
	severities := []Severity{Medium, High, Low, Critical, Medium, Medium, Info}
	for i := range fs {
		fs[i].Severity, fs[i].Confidence = severities[i], float64(i%3)/2
	}
	fs[4].Suggestion, fs[4].HasSuggestion = "defer file.Close()", true
	want, merged := Dedupe(fs)
	if len(want) != 5 || merged != 2 {
		t.Fatalf("%d kept, %d merged", len(want), merged)
	}
	if want[0].Title != "`file` leaks" || want[0].Suggestion != "defer file.Close()" || want[1].Severity != High {
		t.Errorf("got %+v", want)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		r.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
		if got, n := Dedupe(fs); n != merged || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v", got)
		}
	}
	for i := 1; i < len(want); i++ {
		if want[i-1].Severity < want[i].Severity {
			t.Errorf("%+v stands before %+v", want[i-1], want[i])
		}
	}
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	base := Finding{Path: "x.go", Scope: "shop.Total", Quote: "\tsum += item.Price", Title: "a", Anchor: diff.Anchor{Path: "x.go", Side: diff.New, Start: 5, End: 5}}
	of := func(repository string, changes ...func(*Finding)) []Fingerprint {
		fs := make([]Finding, max(1, len(changes)))
		var got []Fingerprint
		for i := range fs {
			fs[i] = base
			if i < len(changes) {
				changes[i](&fs[i])
			}
		}
		Assign(repository, fs)
		for _, f := range fs {
			got = append(got, f.Fingerprint)
		}
		return got
	}
	one := of("acme/shop")[0]
	// A change of this value orphans every fingerprint in every database: then it is v2.
	if one != "v1:dda15c289c3f33b83be9783c5364564b" {
		t.Errorf("the fingerprint is %s", one)
	}
	if !one.Valid() || Fingerprint("v1:xyz").Valid() || Fingerprint("v1:"+strings.Repeat("G", 32)).Valid() || Fingerprint("").Valid() {
		t.Error("Valid is wrong")
	}
	for name, change := range map[string]func(*Finding){
		"words": func(f *Finding) {
			f.Title, f.Body, f.Category, f.Severity, f.Confidence = "b", "c", Security, High, 0.3
		},
		"lines":       func(f *Finding) { f.Anchor.Start, f.Anchor.End = 50, 50 },
		"white space": func(f *Finding) { f.Quote = "sum  +=\titem.Price\r" },
		"suggestion":  func(f *Finding) { f.Suggestion, f.HasSuggestion = "x", true },
	} {
		if got := of("acme/shop", change)[0]; got != one {
			t.Errorf("other %s give another fingerprint", name)
		}
	}
	if of("Acme/Shop")[0] != one {
		t.Error("GitHub's names have no case")
	}
	for name, change := range map[string]func(*Finding){
		"path":  func(f *Finding) { f.Path = "y.go" },
		"scope": func(f *Finding) { f.Scope = "shop.Sum" },
		"code":  func(f *Finding) { f.Quote = "sum -= item.Price" },
	} {
		if got := of("acme/shop", change)[0]; got == one {
			t.Errorf("another %s gives the same fingerprint", name)
		}
	}
	if of("acme/other")[0] == one {
		t.Error("another repository gives the same fingerprint")
	}
	// Equal code at several places: told apart by the order of the lines, not of the findings.
	first := func(f *Finding) { f.Anchor.Start, f.Anchor.End = 5, 5 }
	second := func(f *Finding) { f.Anchor.Start, f.Anchor.End = 9, 9 }
	ab, ba := of("acme/shop", first, second), of("acme/shop", second, first)
	if ab[0] != one || ab[1] == one || ab[0] != ba[1] || ab[1] != ba[0] {
		t.Errorf("got %s and %s", ab, ba)
	}
}
