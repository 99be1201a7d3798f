package parsersvc

import (
	"os"
	"runtime"
)

// childrenPerProcessor is how many children one processor of the service's process feeds: its work for a file is about a
// ninth of a child's.
const childrenPerProcessor = 4

// OwnProcess is for a program that is nothing but this service, and calls it before New: it leaves the processors to the
// children. With fewer in name, Go's runtime wakes fewer threads for each file to look for work that is not there, which
// on two processors, with two children, costs a twentieth of all that is done. GOMAXPROCS in the environment is obeyed.
func OwnProcess(c Config) Config {
	c = c.withDefaults()
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS((c.Children + childrenPerProcessor - 1) / childrenPerProcessor)
	}
	return c
}
