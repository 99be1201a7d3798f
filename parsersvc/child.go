package parsersvc

import (
	"os"

	"github.com/openrabbit/openrabbit/parsersvc/internal/child"
	"github.com/openrabbit/openrabbit/parsersvc/internal/work"
)

// MaybeChild runs the process as a parser child, and never returns, when its arguments say that it is one. A program
// that runs the service, and the TestMain of a test that does, calls it before anything else.
func MaybeChild() {
	if len(os.Args) > 1 && os.Args[1] == child.Marker {
		os.Exit(RunChild(os.Args[2:]))
	}
}

// RunChild is the whole life of a parser child. args are those after the marker; it gives the exit code.
func RunChild(args []string) int { return child.Main(args, work.New()) }
