//go:build race && linux

package child

// memoryFactor is what the race detector's shadow takes on top of a child's memory.
const memoryFactor = 16
