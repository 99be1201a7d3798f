package finding

import (
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// pair is two findings at the same lines.
type pair struct {
	code string
	a, b string
	cat  [2]Category
	same bool
}

// labelled are findings as two passes over the same change word them: one bug in two wordings, or two bugs in one place.
var labelled = []pair{
	// One bug.
	{"user := users[id]\nreturn user.Name", "`user` may be nil", "`user` can be nil here", [2]Category{Bug, Bug}, true},
	{"user := users[id]\nreturn user.Name", "Possible nil dereference of `user`", "`user` may be dereferenced while nil", [2]Category{Bug, Bug}, true},
	{"user := users[id]\nreturn user.Name", "Nil pointer dereference of `user`", "Potential null pointer dereference of `user`", [2]Category{Bug, Bug}, true},
	{"f, _ := os.Open(name)", "The error of `os.Open` is ignored", "`os.Open`'s error is ignored", [2]Category{Bug, Bug}, true},
	{"f, _ := os.Open(name)", "Error from os.Open is discarded", "The error of os.Open is discarded", [2]Category{Bug, Bug}, true},
	{"f, err := os.Open(name)", "`f` is never closed", "`f` is not closed", [2]Category{Bug, Bug}, true},
	{"f, err := os.Open(name)", "`f` leaks", "Leak of `f`", [2]Category{Bug, Performance}, true},
	{"for i := 0; i <= len(items); i++ {", "Off-by-one in the loop over `items`", "The loop over `items` is off-by-one", [2]Category{Bug, Bug}, true},
	{"for i := 0; i <= len(items); i++ {", "Index out-of-range in the loop over `items`", "Out-of-range index in loop over `items`", [2]Category{Bug, Bug}, true},
	{"count++", "Data race on `count`", "`count` has a data race", [2]Category{Concurrency, Concurrency}, true},
	{"count++", "Unsynchronized access to `count`", "Unsynchronised access to `count`", [2]Category{Concurrency, Bug}, true},
	{"s.mu.Lock()", "`s.mu` is never unlocked", "`s.mu` is not unlocked", [2]Category{Concurrency, Concurrency}, true},
	{"db.Query(\"select * from t where id = \" + id)", "SQL injection through `id`", "`id` allows SQL injection", [2]Category{Security, Security}, true},
	{"db.Query(\"select * from t where id = \" + id)", "SQL injection via `id`", "SQL injection through `id`.", [2]Category{Security, Bug}, true},
	{"go worker(ch)", "Goroutine leak: `worker` never ends", "Goroutine leak, `worker` never ends", [2]Category{Concurrency, Bug}, true},
	{"return price * quantity", "Integer overflow in `price * quantity`", "`price * quantity` may overflow", [2]Category{Bug, Bug}, true},
	{"if (a = b) {", "Assignment in condition", "Assignment in the condition", [2]Category{Bug, Maintainability}, true},
	{"time.Sleep(time.Second)", "Sleep in a loop blocks shutdown", "The sleep in the loop blocks shutdown", [2]Category{Performance, Performance}, true},
	{"var cache = map[string]int{}", "`cache` grows without bound", "`cache` grows without bounds", [2]Category{Performance, Performance}, true},
	{"password == given", "Timing attack on `password`", "Timing attack against `password`", [2]Category{Security, Security}, true},
	{"const key = \"abc\"", "Hard-coded key", "Hard-coded key in the code", [2]Category{Security, Security}, true},
	{"items.forEach(async (item) => {", "`forEach` does not await the callback", "The callback of `forEach` is not awaited", [2]Category{Bug, Bug}, true},
	{"defer resp.Body.Close()", "`resp` may be nil", "`resp` might be nil", [2]Category{Bug, Bug}, true},
	{"x := compute()", "Unused variable `x`", "Variable `x` is unused", [2]Category{Maintainability, Maintainability}, true},
	{"total += item.Price", "`Quantity` is left out of the total", "The total leaves out `Quantity`", [2]Category{Bug, Bug}, true},

	// Two bugs.
	{"user := users[id]\nreturn user.Name", "`user` may be nil", "`id` is not checked against the length of `users`", [2]Category{Bug, Bug}, false},
	{"user := users[id]\nreturn user.Name", "`user` may be nil", "`users` is read without the lock", [2]Category{Bug, Concurrency}, false},
	{"f, _ := os.Open(name)", "The error of `os.Open` is ignored", "`f` is never closed", [2]Category{Bug, Bug}, false},
	{"f, _ := os.Open(name)", "The error of `os.Open` is ignored", "`name` may leave the directory", [2]Category{Bug, Security}, false},
	{"f, err := os.Open(name)", "`f` is never closed", "`f` is closed twice", [2]Category{Bug, Bug}, false},
	{"f, err := os.Open(name)", "`f` leaks", "`f` is used after it was closed", [2]Category{Bug, Bug}, false},
	{"for i := 0; i <= len(items); i++ {", "Off-by-one in the loop over `items`", "`items` is changed while it is ranged over", [2]Category{Bug, Bug}, false},
	{"for i := 0; i <= len(items); i++ {", "Off-by-one in the loop", "The loop never ends", [2]Category{Bug, Bug}, false},
	{"count++", "Data race on `count`", "`count` overflows", [2]Category{Concurrency, Bug}, false},
	{"count++\ntotal++", "Data race on `count`", "Data race on `total`", [2]Category{Concurrency, Concurrency}, false},
	{"s.mu.Lock()", "`s.mu` is never unlocked", "`s.mu` is locked twice", [2]Category{Concurrency, Concurrency}, false},
	{"s.mu.Lock()", "Deadlock on `s.mu`", "Data race on `s.mu`", [2]Category{Concurrency, Concurrency}, false},
	{"db.Query(\"select * from t where id = \" + id)", "SQL injection through `id`", "The rows of `db.Query` are never closed", [2]Category{Security, Bug}, false},
	{"db.Query(\"select * from t where id = \" + id)", "SQL injection through `id`", "`id` is not validated as a number", [2]Category{Security, Security}, false},
	{"render(name, comment)", "HTML injection through `name`", "HTML injection through `comment`", [2]Category{Security, Security}, false},
	{"go worker(ch)", "Goroutine leak: `worker` never ends", "A panic in `worker` ends the process", [2]Category{Concurrency, Bug}, false},
	{"return price * quantity", "Integer overflow in `price * quantity`", "`quantity` may be negative", [2]Category{Bug, Bug}, false},
	{"return price * quantity", "`price` may be negative", "`quantity` may be negative", [2]Category{Bug, Bug}, false},
	{"copy(dst, src)", "`dst` may be shorter than `src`", "`src` may be nil", [2]Category{Bug, Bug}, false},
	{"copy(dst, src)", "`src` may be nil", "`dst` may be nil", [2]Category{Bug, Bug}, false},
	{"password == given", "Timing attack on `password`", "`password` is stored in plain text", [2]Category{Security, Security}, false},
	{"password == given", "`password` is logged", "`password` is stored in plain text", [2]Category{Security, Security}, false},
	{"const key = \"abc\"", "Hard-coded key", "The key is too short", [2]Category{Security, Security}, false},
	{"items.forEach(async (item) => {", "`forEach` does not await the callback", "An error in the callback of `forEach` is lost", [2]Category{Bug, Bug}, false},
	{"defer resp.Body.Close()", "`resp` may be nil", "The body of `resp` is closed before it is read", [2]Category{Bug, Bug}, false},
	{"defer resp.Body.Close()", "`resp.Body` is closed too late", "`resp.Body` is never read to its end", [2]Category{Bug, Performance}, false},
	{"total += item.Price", "`Quantity` is left out of the total", "The total overflows", [2]Category{Bug, Bug}, false},
	{"total += item.Price", "`Price` may be negative", "`Price` is a float and loses cents", [2]Category{Bug, Bug}, false},
	{"timeout := 5 * time.Minute", "The timeout is too long", "The timeout is too short", [2]Category{Performance, Performance}, false},
	{"if n > limit {", "`limit` is not included", "`limit` is never set", [2]Category{Bug, Bug}, false},
	{"if n > limit {", "The condition is inverted", "The condition is always true", [2]Category{Bug, Bug}, false},
	{"cache[key] = value", "`cache` is never evicted", "`cache` is written without a lock", [2]Category{Performance, Concurrency}, false},
	{"cache[key] = value", "The key of `cache` lacks the tenant", "The key of `cache` lacks the locale", [2]Category{Bug, Bug}, false},
	{"retry(3, send)", "`send` is not idempotent and is retried", "`send` is retried without a pause", [2]Category{Bug, Performance}, false},
	{"retry(3, send)", "The retry ignores the context", "The retry hides the error", [2]Category{Bug, Bug}, false},
	{"encode(w, v)", "The error of `encode` is ignored", "The error of `encode` is returned to the client", [2]Category{Bug, Security}, false},
	{"assert(x == 1)", "The test does not check the result", "The test depends on the order of the others", [2]Category{Test, Test}, false},
	{"log.Printf(\"%v\", token)", "`token` is written to the log", "`token` may be empty", [2]Category{Security, Bug}, false},
	{"a.Lock(); b.Lock()", "`a` and `b` are locked in another order elsewhere", "`b` is not unlocked when `a` fails", [2]Category{Concurrency, Concurrency}, false},
}

// TestSameOnLabelledPairs never merges two bugs. That one bug in two wordings is seen as one is wished for and counted.
func TestSameOnLabelledPairs(t *testing.T) {
	t.Parallel()
	one, seen, two := 0, 0, 0
	for _, p := range labelled {
		with := func(title string, category Category) Finding {
			return Finding{
				Path: "x.go", Anchor: diff.Anchor{Path: "x.go", Side: diff.New, Start: 3, End: 4},
				Title: title, Category: category, Quote: p.code, Severity: Medium,
			}
		}
		a, b := with(p.a, p.cat[0]), with(p.b, p.cat[1])
		got := Same(a, b)
		if got != Same(b, a) {
			t.Errorf("%q and %q: the order matters", p.a, p.b)
		}
		switch {
		case !p.same:
			if two++; got {
				t.Errorf("%q and %q are two bugs and were merged", p.a, p.b)
			}
		case got:
			one, seen = one+1, seen+1
		default:
			one++
			t.Logf("not seen as one: %q and %q", p.a, p.b)
		}
	}
	t.Logf("%d pairs of one bug, %d seen as one; %d pairs of two bugs, 0 merged", one, seen, two)
	if seen*10 < one*7 {
		t.Errorf("of %d pairs of one bug only %d are seen as one", one, seen)
	}
}
