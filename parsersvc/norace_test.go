//go:build !race

package parsersvc

const memoryFactor = 1
