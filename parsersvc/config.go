package parsersvc

import (
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/rpc"
)

const (
	defaultAddr        = "127.0.0.1:50051"
	defaultAdminAddr   = "127.0.0.1:9092"
	defaultClients     = "orchestrator,openrabbit"
	defaultFileTimeout = 2 * time.Second
	defaultMemoryMiB   = 512
	defaultPerChild    = 10_000
	leastMemoryMiB     = 256
	mostFileTimeout    = time.Minute
	quarantined        = 4096
)

// AdminOff as Config.AdminAddr serves no admin endpoints: somebody else shows the registry.
const AdminOff = "off"

// Config is how the parser tier is set up. The zero value is usable.
type Config struct {
	// Addr is where gRPC is served. Empty means 127.0.0.1:50051.
	Addr string
	// AdminAddr is where /metrics, /healthz, /readyz and pprof are served. Empty means 127.0.0.1:9092, AdminOff none.
	AdminAddr string
	// Mesh is how ParserService is protected, Clients the names in the certificates of those who may call it; empty
	// means orchestrator and openrabbit.
	Mesh    rpc.Mesh
	Clients []string

	// Children is how many processes parse; one more is kept ready. 0 means one for each processor.
	Children int
	// FileTimeout is how long one file may take before its child is killed. 0 means 2 s.
	FileTimeout time.Duration
	// MemoryMiB bounds the writable memory of a child, of which it has some 130 before its first file. 0 means 512: what
	// the densest files of a mebibyte take; a file that is made to take more costs its child.
	MemoryMiB int
	// FilesPerChild is after how many files a child is replaced. 0 means 10,000: one that has grown is replaced before.
	FilesPerChild int
	// Executable is the program that is a child when it is started with the marker. Empty means this one.
	Executable string
	// marker is the first argument of a child, for tests whose children misbehave; empty means the real one.
	marker string
}

// ConfigFromEnv reads the configuration; complaints stay in env.
func ConfigFromEnv(env *config.Env) Config {
	c := Config{
		Addr:          env.String("OPENRABBIT_PARSER_ADDR", defaultAddr),
		AdminAddr:     env.String("OPENRABBIT_PARSER_ADMIN_ADDR", defaultAdminAddr),
		Mesh:          rpc.MeshFromEnv(env),
		Clients:       strings.Split(env.String("OPENRABBIT_PARSER_CLIENTS", defaultClients), ","),
		Children:      env.Int("OPENRABBIT_PARSER_CHILDREN", 0, 0, 1024),
		FileTimeout:   env.Duration("OPENRABBIT_PARSER_FILE_TIMEOUT", defaultFileTimeout),
		MemoryMiB:     env.Int("OPENRABBIT_PARSER_MEMORY_MIB", defaultMemoryMiB, leastMemoryMiB, 1<<20),
		FilesPerChild: env.Int("OPENRABBIT_PARSER_FILES_PER_CHILD", defaultPerChild, 1, 1_000_000),
	}
	if c.FileTimeout <= 0 || c.FileTimeout > mostFileTimeout {
		env.Complain("OPENRABBIT_PARSER_FILE_TIMEOUT", "must be more than nothing and at most %s", mostFileTimeout)
	}
	return c
}

func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = defaultAddr
	}
	if c.AdminAddr == "" {
		c.AdminAddr = defaultAdminAddr
	}
	if len(c.Clients) == 0 {
		c.Clients = strings.Split(defaultClients, ",")
	}
	if c.Children == 0 {
		c.Children = runtime.GOMAXPROCS(0)
	}
	if c.FileTimeout == 0 {
		c.FileTimeout = defaultFileTimeout
	}
	if c.MemoryMiB == 0 {
		c.MemoryMiB = defaultMemoryMiB
	}
	if c.FilesPerChild == 0 {
		c.FilesPerChild = defaultPerChild
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Children < 0:
		return errors.New("the number of children is negative")
	case c.FileTimeout < 0 || c.FileTimeout > mostFileTimeout:
		return errors.New("a file's limit of time must be between nothing and a minute")
	case c.MemoryMiB < leastMemoryMiB:
		return errors.New("a child needs 256 MiB of memory at least")
	case c.FilesPerChild < 0:
		return errors.New("the number of files for a child is negative")
	}
	return nil
}
