package load

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/intake"
)

func whole(n int) []byte { return []byte(payload() + rest(firstNumber+n, headOf(n))) }

func TestThePayloadIsAPullRequest(t *testing.T) {
	t.Parallel()
	body := whole(7)
	if !json.Valid(body) {
		t.Fatal("it is not JSON")
	}
	if n := len(body); n < 24_000 || n > 25_500 {
		t.Errorf("%d bytes: GitHub's have about 24.5 kB", n)
	}
	d, err := intake.Decide("pull_request", body, intake.Identity{})
	if err != nil || d.Kind != intake.Review || d.Number != firstNumber+7 || d.Head != headOf(7) || d.InstallationID == 0 {
		t.Errorf("decided %+v, %v", d, err)
	}
	m, err := NewMaker("r", strings.Repeat("long secret", 20))
	if err != nil || m.Size() != len(body) {
		t.Errorf("a maker of %d bytes, %v", m.Size(), err)
	}
	one, err := m.Make(7, "")
	if err != nil || !bytes.Equal(append(append([]byte(nil), one.same...), one.end...), body) {
		t.Errorf("made %q, %v", one.end, err)
	}
}

func BenchmarkDecode(b *testing.B) {
	body := whole(7)
	b.Run("intake", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := intake.Decide("pull_request", body, intake.Identity{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding_json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var p struct {
				Action, Before string
				Number         int
				Repository     struct {
					ID            int64
					FullName      string `json:"full_name"`
					DefaultBranch string `json:"default_branch"`
				}
				Installation struct{ ID int64 }
				Sender       struct{ Login, Type string }
				PullRequest  struct {
					State                              string
					UpdatedAt                          string `json:"updated_at"`
					User                               struct{ Login, Type string }
					Head                               struct{ SHA string }
					ChangedFiles, Additions, Deletions int
				} `json:"pull_request"`
			}
			if err := json.Unmarshal(body, &p); err != nil || p.PullRequest.Head.SHA == "" {
				b.Fatal(err)
			}
		}
	})
}
