package config

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports of FreeAddr lie below those that systems give to outgoing connections (from 32,768 on Linux, from 49,152 by
// RFC 6335): one of those could be taken between the look and the use.
const (
	firstFreePort = 20_000
	freePorts     = 12_000
	freeTries     = 100
)

// FreeAddr gives an address of the loopback interface that nobody listens at, for a process or a server that is started
// next. Nothing reserves it until then.
func FreeAddr() (string, error) {
	var listening net.ListenConfig
	var failed error
	for range freeTries {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstFreePort+rand.IntN(freePorts)))
		listener, err := listening.Listen(context.Background(), "tcp", addr)
		if err == nil {
			return addr, listener.Close()
		}
		failed = err
	}
	return "", errors.Join(errors.New("find a free port: none was free"), fmt.Errorf("the last: %w", failed))
}
