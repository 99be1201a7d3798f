//go:build !race && linux

package child

const memoryFactor = 1
