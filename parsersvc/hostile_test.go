package parsersvc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
)

// settled are the statuses that end a hostile file: any of them will do, as long as one comes.
func settled(s parserv1.FileStatus) bool {
	switch s {
	case parserv1.FileStatus_FILE_STATUS_OK, parserv1.FileStatus_FILE_STATUS_PARTIAL,
		parserv1.FileStatus_FILE_STATUS_TOO_LARGE, parserv1.FileStatus_FILE_STATUS_BINARY,
		parserv1.FileStatus_FILE_STATUS_TIMEOUT, parserv1.FileStatus_FILE_STATUS_CRASHED,
		parserv1.FileStatus_FILE_STATUS_QUARANTINED:
		return true
	default:
		return false
	}
}

// hostile gives files that were made to hurt a parser.
func hostile() map[string]string {
	lines := func(s string, n int) string { return strings.Repeat(s+"\n", n) }
	broken := func(s string, n int) string { // long input in lines that are short enough
		var b strings.Builder
		for i := range n {
			b.WriteString(s)
			if i%200 == 199 {
				b.WriteByte('\n')
			}
		}
		return b.String()
	}
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		if noise[i] = byte(random.UintN(255)) + 1; i%100 == 99 {
			noise[i] = '\n'
		}
	}
	return map[string]string{
		"NUL bytes after the eighth kilobyte": strings.Repeat("# x\n", 3000) + strings.Repeat("\x00", 15_000),
		"round brackets":                      broken("(", 100_000),
		"square brackets":                     broken("[", 100_000),
		"curly brackets":                      broken("{", 100_000),
		"mixed brackets":                      broken("([{", 100_000),
		"closed brackets":                     broken("(", 50_000) + broken(")", 50_000),
		"brackets without end":                broken("([", 500_000),
		"operators":                           "x = " + broken("1+", 300_000) + "1",
		"ternaries":                           broken("a=b?c:d;", 60_000),
		"heredocs":                            "cat <<" + strings.Repeat("A", 256) + "\n" + lines("x", 1000),
		"open string":                         "x = \"" + broken("a ", 100_000),
		"open comment":                        "/* " + broken("a ", 100_000),
		"triple quotes":                       broken(`"""`, 50_000),
		"nested functions":                    broken("function f(){", 40_000),
		"nested classes":                      broken("class A { m() {", 30_000),
		"nested types":                        "let x: " + broken("A<", 60_000),
		"nested templates":                    broken("`${", 40_000),
		"tags":                                "x = " + broken("<a>", 60_000),
		"many definitions":                    lines("function f(a,b){}", 55_000),
		"many names":                          broken("a.b;", 250_000),
		"many decorators":                     broken("@a ", 100_000) + "class A {}",
		"many lines":                          strings.Repeat("\n", 1<<20),
		"noise":                               string(noise),
		"invalid UTF-8":                       lines("\xff\xfe = '\xc3\x28'", 10_000),
		"bidi and BOMs":                       lines("\u202ex = 1 \u2066\ufeff", 10_000),
		"deep indentation":                    deepIndentation(700),
		"huge number":                         "x = " + strings.Repeat("9", 19_000),
		"huge name":                           "var " + strings.Repeat("a", 19_000) + " = 1",
		"many parameters":                     "function f(" + broken("a,", 100_000) + "b) {}",
		"many receivers":                      "x" + broken(".a", 200_000) + "()",
		"many errors":                         lines("func ( ] }", 50_000),
	}
}

func deepIndentation(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "if x:\n")
	}
	return b.String() + strings.Repeat(" ", n) + "pass\n"
}

// Whatever a file does, it gets an answer within its limit, the service lives, and good files beside it are answered.
// With OPENRABBIT_HOSTILE set every generator meets every grammar, for minutes.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	const limit = 250 * time.Millisecond
	c, _ := start(t, Config{Children: 2, FileTimeout: limit, MemoryMiB: 256})
	var extensions []string
	for _, l := range analysis.Languages() {
		extensions = append(extensions, l.Extensions[0])
	}
	stream, err := c.AnalyzeFiles(within(t, 20*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[uint64]string)
	var requests []*parserv1.AnalyzeFilesRequest
	add := func(name, path, content string) {
		id := uint64(len(requests))
		names[id] = name
		requests = append(requests, &parserv1.AnalyzeFilesRequest{Id: id, File: file(path, content), Chunk: &parserv1.ChunkLimits{}})
	}
	for name, content := range hostile() {
		for i, ext := range extensions {
			if os.Getenv("OPENRABBIT_HOSTILE") != "" || i == len(requests)/2%len(extensions) {
				add(name+" as "+ext, "hostile"+ext, content)
			}
		}
		add("", fmt.Sprintf("good%d.go", len(requests)), goSource)
	}
	go func() {
		for _, req := range requests {
			if stream.Send(req) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	begun := time.Now()
	all, err := receiveAll(stream)
	if err != nil || len(all) != len(requests) {
		t.Fatalf("%d answers of %d, %v", len(all), len(requests), err)
	}
	statuses := make(map[parserv1.FileStatus]int)
	for id, resp := range all {
		status := resp.GetFacts().GetStatus()
		statuses[status]++
		if !settled(status) {
			t.Errorf("%s is %s", names[id], status)
		}
		// A machine that is very busy may be too slow even for a good file.
		if names[id] == "" && status != parserv1.FileStatus_FILE_STATUS_OK && status != parserv1.FileStatus_FILE_STATUS_TIMEOUT {
			t.Errorf("a good file is %s: %s", status, resp.GetFacts().GetDetail())
		}
	}
	if took, most := time.Since(begun), time.Duration(len(requests))*(limit+250*time.Millisecond); took > most {
		t.Errorf("%d files took %s, more than %s", len(requests), took, most)
	}
	t.Logf("%d files in %s: %v", len(requests), time.Since(begun).Round(time.Millisecond), statuses)
}

func TestCrashAndHang(t *testing.T) {
	t.Parallel()
	c, _ := start(t, Config{Children: 1, FileTimeout: 2 * time.Second, marker: faulty})
	for _, x := range []struct {
		order, detail string
		want          parserv1.FileStatus
	}{
		{"segfault", "its parser crashed: exit status 2 (segmentation fault)", parserv1.FileStatus_FILE_STATUS_CRASHED},
		{"hang", "parsing it took too long: no answer within 2s", parserv1.FileStatus_FILE_STATUS_TIMEOUT},
		{"panic", "its parser failed", parserv1.FileStatus_FILE_STATUS_CRASHED},
		{"rubbish", "its parser gave an answer that can't be read", parserv1.FileStatus_FILE_STATUS_CRASHED},
		{"empty", "its parser gave an answer that can't be read", parserv1.FileStatus_FILE_STATUS_CRASHED},
	} {
		f := outline(t, c, "x.go", "// order: "+x.order)
		if f.GetStatus() != x.want || f.GetDetail() != x.detail || f.GetLanguage() != "go" || f.GetPath() != "x.go" {
			t.Errorf("%s: %v, want %s %q", x.order, f, x.want, x.detail)
		}
		if f := outline(t, c, "good.go", goSource); f.GetStatus() != parserv1.FileStatus_FILE_STATUS_OK {
			t.Errorf("a good file after %s: %v", x.order, f)
		}
	}
	// A child's word about which file this was is not taken.
	if f := outline(t, c, "x.go", "// order: impostor"); f.GetPath() != "x.go" {
		t.Errorf("impostor: %v", f)
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	c, s := start(t, Config{Children: 1, marker: faulty})
	var got []parserv1.FileStatus
	for range 3 {
		got = append(got, outline(t, c, "x.go", "// order: segfault").GetStatus())
	}
	want := []parserv1.FileStatus{
		parserv1.FileStatus_FILE_STATUS_CRASHED, parserv1.FileStatus_FILE_STATUS_CRASHED, parserv1.FileStatus_FILE_STATUS_QUARANTINED,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	// The path does not matter, the content does. It is still cut into windows.
	resp, err := c.Chunk(within(t, 10*time.Second), &parserv1.ChunkRequest{File: file("other.py", "// order: segfault")})
	if err != nil || resp.GetStatus() != parserv1.FileStatus_FILE_STATUS_QUARANTINED || len(resp.GetChunks()) != 1 {
		t.Errorf("under another path: %v, %v", resp, err)
	}
	if f := outline(t, c, "x.go", "// order: segfault, but different"); f.GetStatus() != parserv1.FileStatus_FILE_STATUS_CRASHED {
		t.Errorf("other content: %v", f.GetStatus())
	}
	if n := s.server.analyst.quarantine.len(); n != 2 {
		t.Errorf("%d contents remembered", n)
	}
}

// A caller in haste is answered in its time, and the content is not blamed.
func TestHasteIsNoKill(t *testing.T) {
	t.Parallel()
	c, s := start(t, Config{Children: 1, marker: faulty})
	for range 3 {
		resp, err := c.Outline(within(t, 600*time.Millisecond), &parserv1.OutlineRequest{File: file("x.go", "// order: hang")})
		if err == nil && resp.GetFacts().GetStatus() != parserv1.FileStatus_FILE_STATUS_TIMEOUT {
			t.Errorf("got %v", resp)
		}
	}
	if n := s.server.analyst.quarantine.len(); n != 0 {
		t.Errorf("%d contents remembered", n)
	}
	if f := outline(t, c, "good.go", goSource); f.GetStatus() != parserv1.FileStatus_FILE_STATUS_OK {
		t.Errorf("afterwards: %v", f)
	}
}

// A child killed from outside in the middle of a stream loses its file only.
func TestKillInTheMiddleOfAStream(t *testing.T) {
	t.Parallel()
	// The size tells this service's children from those of the other tests.
	c, s := start(t, Config{Children: 2, MemoryMiB: 333, marker: faulty})
	stream, err := c.AnalyzeFiles(within(t, 60*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	const files = 20
	go func() {
		for i := range files {
			if err := stream.Send(&parserv1.AnalyzeFilesRequest{Id: uint64(i), File: file("x.go", fmt.Sprintf("// order: nap %d", i))}); err != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	waitFor(t, func() bool { return s.pool.Busy() == 2 })
	killOneChild(t, strconv.Itoa(s.cfg.MemoryMiB<<20))
	all, err := receiveAll(stream)
	if err != nil || len(all) != files {
		t.Fatalf("%d answers, %v", len(all), err)
	}
	lost := 0
	for _, resp := range all {
		switch resp.GetFacts().GetStatus() {
		case parserv1.FileStatus_FILE_STATUS_OK:
		case parserv1.FileStatus_FILE_STATUS_CRASHED:
			lost++
		default:
			t.Errorf("answer %v", resp)
		}
	}
	if lost != 1 {
		t.Errorf("%d files lost to one kill", lost)
	}
}

// killOneChild kills one child of this process that has a certain argument: the oldest, which is not the spare.
func killOneChild(t *testing.T, argument string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("there is no /proc")
	}
	oldest := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		line, err2 := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if errors.Join(err, err2) != nil || !strings.HasSuffix(string(line), "\x00"+argument+"\x00") {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && (oldest == 0 || pid < oldest) {
			oldest = pid
		}
	}
	if oldest == 0 {
		t.Fatal("no child found")
	}
	if err := syscall.Kill(oldest, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestQuarantineIsBounded(t *testing.T) {
	t.Parallel()
	q := newQuarantine(3)
	d := func(i int) func() digest { return digestOf([]byte(strconv.Itoa(i))) }
	for i := range 5 {
		q.killed(d(i)())
	}
	if q.len() != 3 {
		t.Errorf("%d remembered", q.len())
	}
	q.killed(d(4)())
	if !q.holds(d(4)) || q.holds(d(3)) || q.holds(d(0)) {
		t.Error("two kills quarantine, one does not")
	}
	// What is met again is not the first to be forgotten.
	q.holds(d(4))
	q.killed(d(5)())
	q.killed(d(6)())
	if !q.holds(d(4)) {
		t.Error("what was met last is forgotten")
	}
	if digestOf([]byte("ab"), []byte("c"))() == digestOf([]byte("a"), []byte("bc"))() {
		t.Error("texts are not told apart by their lengths")
	}
}

// Files that kill their parser, in the middle of a stream of good ones: each file gets the answer that is its own, and
// only those that were being parsed are remembered as killers. Some of the good ones lay in the pipe of a child that died.
func TestKillersInAStream(t *testing.T) {
	t.Parallel()
	c, s := start(t, Config{Children: 2, FileTimeout: 5 * time.Second, marker: faulty})
	stream, err := c.AnalyzeFiles(within(t, 60*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	const files, each = 60, 10
	go func() {
		for i := range files {
			content := fmt.Sprintf("package x\n\nfunc good%d() {}\n", i)
			if i%each == 3 {
				content = fmt.Sprintf("// order: rubbish %d", i)
			}
			if i%each == 6 {
				content = fmt.Sprintf("// order: die %d", i)
			}
			if stream.Send(&parserv1.AnalyzeFilesRequest{Id: uint64(i), File: file(fmt.Sprintf("%d.go", i), content)}) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	all, err := receiveAll(stream)
	if err != nil || len(all) != files {
		t.Fatalf("%d answers, %v", len(all), err)
	}
	for id, resp := range all {
		facts, bad := resp.GetFacts(), id%each == 3 || id%each == 6
		switch {
		case facts.GetPath() != fmt.Sprintf("%d.go", id):
			t.Errorf("%d is answered for %s", id, facts.GetPath())
		case bad && facts.GetStatus() != parserv1.FileStatus_FILE_STATUS_CRASHED:
			t.Errorf("%d: %s", id, facts.GetStatus())
		case !bad && (facts.GetStatus() != parserv1.FileStatus_FILE_STATUS_OK || facts.GetSymbols()[0].GetName() != fmt.Sprintf("good%d", id)):
			t.Errorf("%d: %v", id, facts)
		}
	}
	if n := s.server.analyst.quarantine.len(); n != files/each*2 {
		t.Errorf("%d contents remembered", n)
	}
}
