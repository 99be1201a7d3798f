package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkDelivery measures one sender after the other, from the request to the answer after the commit, with bodies of
// GitHub's usual size, each for another pull request. Fsync is off in the tests' Postgres.
func BenchmarkDelivery(b *testing.B) {
	w := newWorld(b)
	labels := `"labels":[` + strings.Repeat(`{"id":1,"name":"a label of some length"},`, 580) + `{}],"changed_files":3`
	n := 0
	for b.Loop() {
		n++
		body := pullRequest(`"number":12`, fmt.Sprintf(`"number":%d`, n), `"changed_files":3`, labels)
		got, err := w.try(w.request("pull_request", body))
		if err != nil || got.code != http.StatusAccepted || got.Status != "accepted" {
			b.Fatalf("%+v, %v", got, err)
		}
		b.SetBytes(int64(len(body)))
	}
}
