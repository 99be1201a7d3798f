package intake_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/openrabbit/openrabbit/internal/intake"
)

// Whatever the bytes are: no panic, the same decision twice, an error of the right kind or a decision that holds
// together; and nothing is accepted that the standard library does not take for JSON.
func FuzzDecide(f *testing.F) {
	for _, event := range []string{"pull_request", "check_run", "check_suite", "installation", "installation_repositories", "issue_comment", "ping", "levitation"} {
		f.Add(event, pullRequest())
		f.Add(event, []byte(`{"action":"rerequested","check_run":{"id":3,"external_id":"`+runID+`","app":{"id":5}},"installation":{"id":7,"updated_at":1.5e3}}`))
		f.Add(event, []byte(`{"a":[[[[{"b":"\ud83d\ude00","c":-0.1e+5,"d":[true,false,null]}]]]],"action":"added","repositories_added":[{"id":1,"full_name":"a/b"}]}`))
	}
	f.Add("pull_request", []byte(`{"a":"\u00`))
	f.Add("check_suite", []byte(`{"action":"rerequested","check_suite":{"id":3,"head_sha":"`+headA+`","app":{"id":5}},"installation":{"id":7}}`))
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		d, err := intake.Decide(event, payload, self)
		again, errAgain := intake.Decide(event, payload, self)
		if !reflect.DeepEqual(d, again) || (err == nil) != (errAgain == nil) {
			t.Fatalf("twice: %+v, %v and %+v, %v", d, err, again, errAgain)
		}
		if err != nil {
			if !errors.Is(err, intake.ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		if !json.Valid(payload) {
			t.Fatal("accepted what is not JSON")
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(payload, &object); err != nil {
			t.Fatalf("accepted what is no object: %v", err)
		}
		switch {
		case (d.Kind == intake.Ignore) != (d.Reason != intake.NoReason):
			t.Fatalf("kind %q with reason %q", d.Kind, d.Reason)
		case d.Kind != intake.Ignore && d.Kind != intake.Ping && d.InstallationID <= 0:
			t.Fatalf("kind %q without an installation", d.Kind)
		case d.Kind == intake.Review && (d.Repository.ID <= 0 || d.Number <= 0 || d.Head == "" || d.EventAt.IsZero() || d.Meaning == ""):
			t.Fatalf("a review of nothing: %+v", d)
		case d.Kind == intake.Rerun && len(d.ReviewID) != 36:
			t.Fatalf("a re-run of nothing: %+v", d)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	payload := pullRequest()
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := intake.Decide("pull_request", payload, self); err != nil {
			b.Fatal(err)
		}
	}
}
