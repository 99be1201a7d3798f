//go:build cgo

package analysis

import (
	"testing"

	"github.com/go-enry/go-enry/v2"
	"github.com/go-enry/go-enry/v2/data"
	"pgregory.net/rapid"
)

// TestIsVendored holds the short way against go-enry's own answer, on paths made of the pieces that its rules look for.
func TestIsVendored(t *testing.T) {
	t.Parallel()
	pieces := []string{"", "a", "src", "/", "/", ".", "-", "_", "1.2.3", "js", ".js", ".css", "Dependencies", "third-party", "3rdparty", "min", "d3.v4"}
	for _, r := range vendorRules() {
		pieces = append(pieces, r.needs, r.needs)
	}
	if len(pieces) < len(data.VendorMatchers) {
		t.Fatalf("%d pieces of %d rules", len(pieces), len(data.VendorMatchers))
	}
	vendored := 0
	rapid.Check(t, func(t *rapid.T) {
		path := ""
		for _, p := range rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 6).Draw(t, "pieces") {
			path += p
		}
		want := enry.IsVendor(path)
		if want {
			vendored++
		}
		if got := IsVendored(path); got != want {
			t.Fatalf("%q: %v, go-enry says %v", path, got, want)
		}
	})
	if vendored == 0 {
		t.Error("none of the paths was vendored: nothing was compared")
	}
}

func BenchmarkIsVendored(b *testing.B) {
	for b.Loop() {
		IsVendored("pkg/services/ngalert/notifier/channels_config/available_channels.go")
	}
}
