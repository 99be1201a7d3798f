package parsersvc

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
)

// attack is one hostile file.
type attack struct{ name, path, content string }

// attacks gives every generator as every language in several sizes, and a real crash in C between them.
func attacks() []attack {
	var out []attack
	files := hostile()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, l := range analysis.Languages() {
			if len(l.Extensions) == 0 {
				continue
			}
			for _, share := range []int{1, 2, 3, 5, 8, 13, 21, 34} {
				content := files[name]
				out = append(out, attack{
					fmt.Sprintf("%s as %s, 1/%d", name, l.Name, share), "hostile" + l.Extensions[0], content[:len(content)/share],
				})
			}
		}
		out = append(out, attack{"a segfault", "crash.go", "// order: segfault " + name})
	}
	return out
}

// ordinary is a file as most are.
func ordinary(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package ordinary // %d\n", n)
	for i := range 60 {
		fmt.Fprintf(&b, "\n// f%d adds what it is given.\nfunc f%d(a, b int) (int, error) {\n\tif a < b {\n\t\treturn 0, errors.New(\"less\")\n\t}\n\treturn g.Add(a, b+%d), nil\n}\n", i, i, i)
	}
	return b.String()
}

// TestFlood sends thousands of hostile files one after the other, and ordinary ones beside them: the service lives,
// every call is answered within its deadline and 250 ms, and the ordinary files take less than twice as long as beside
// other ordinary files, at the 99th percentile. OPENRABBIT_HOSTILE is the part to run, as "1/4"; "1" is all. It must
// have the machine to itself.
func TestFlood(t *testing.T) {
	part, parts := 1, 1
	switch n, _ := fmt.Sscanf(os.Getenv("OPENRABBIT_HOSTILE"), "%d/%d", &part, &parts); {
	case n == 0:
		t.Skip("thousands of files are asked for by OPENRABBIT_HOSTILE")
	case n == 1:
		parts = 1
	}
	c, _ := start(t, Config{Children: 2, FileTimeout: 250 * time.Millisecond, marker: faulty})
	var list []attack
	for i, a := range attacks() {
		if i%parts == part-1 {
			list = append(list, a)
		}
	}
	normal := beside(t, c, func(ctx context.Context) {
		for n := 0; ctx.Err() == nil && n < 2000; n++ {
			_, _ = call(ctx, c, "ordinary.go", ordinary(-n))
		}
	})
	statuses := make(map[parserv1.FileStatus]int)
	var latest time.Duration
	hostile := beside(t, c, func(ctx context.Context) {
		for _, a := range list {
			begun := time.Now()
			resp, err := call(ctx, c, a.path, a.content)
			latest = max(latest, time.Since(begun)-deadline)
			if err != nil || !settled(resp.GetFacts().GetStatus()) && resp.GetFacts().GetStatus() != parserv1.FileStatus_FILE_STATUS_UNSUPPORTED {
				t.Errorf("%s: %s, %v", a.name, resp.GetFacts().GetStatus(), err)
			}
			statuses[resp.GetFacts().GetStatus()]++
		}
	})
	t.Logf("%d hostile files: %v; the latest answer %s after its deadline", len(list), statuses, latest)
	t.Logf("ordinary files: p50 %s, p99 %s beside ordinary ones (%d calls); p50 %s, p99 %s beside hostile ones (%d calls)",
		normal[len(normal)/2], normal[len(normal)*99/100], len(normal), hostile[len(hostile)/2], hostile[len(hostile)*99/100], len(hostile))
	if latest > 250*time.Millisecond {
		t.Error("an answer came too late")
	}
	if hostile[len(hostile)*99/100] >= 2*normal[len(normal)*99/100] {
		t.Error("ordinary files suffer")
	}
}

// deadline is that of every call.
const deadline = time.Second

func call(ctx context.Context, c parserv1.ParserServiceClient, path, content string) (*parserv1.OutlineResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	return c.Outline(ctx, &parserv1.OutlineRequest{File: file(path, content)})
}

// beside measures ordinary calls, one after the other, while something else goes on.
func beside(t *testing.T, c parserv1.ParserServiceClient, load func(ctx context.Context)) []time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var took []time.Duration
	var measuring sync.WaitGroup
	measuring.Go(func() {
		// A pause as long as the one before keeps half of a processor free for whom it is beside.
		for n := 0; ctx.Err() == nil; n++ {
			begun := time.Now()
			resp, err := call(context.WithoutCancel(ctx), c, "ordinary.go", ordinary(n))
			if err != nil || resp.GetFacts().GetStatus() != parserv1.FileStatus_FILE_STATUS_OK {
				t.Errorf("an ordinary file: %s, %v", resp.GetFacts().GetStatus(), err)
			}
			took = append(took, time.Since(begun))
			<-time.After(time.Since(begun))
		}
	})
	load(ctx)
	cancel()
	measuring.Wait()
	slices.Sort(took)
	return took
}
