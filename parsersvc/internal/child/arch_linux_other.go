//go:build linux && !amd64 && !arm64

package child

// auditArch of zero means that there is no filter for this machine.
const auditArch = 0
