package load

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
)

// Bad sends requests of which none may be accepted.
type Bad struct {
	Requests, Connections int
	Seed                  uint64
	// Growth is how much more memory the gateway may hold at the end, in bytes.
	Growth int64
}

func signature(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write(body) // a hash gives no error
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func request(line, event, guid, contentType, signature string, body []byte) Delivery {
	header := fmt.Sprintf("%s\r\nHost: gateway\r\nX-GitHub-Event: %s\r\nX-GitHub-Delivery: %s\r\nContent-Type: %s\r\n"+
		"X-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n", line, event, guid, contentType, signature, len(body))
	return Delivery{GUID: guid, header: []byte(header), same: body}
}

// generate gives one bad request: forged, or signed by one who knows the secret and wrong in itself.
func generate(dice *rand.Rand, n int) Delivery {
	const post = "POST /webhooks/github HTTP/1.1"
	guid := fmt.Sprintf("bad-%d", n)
	good := goodBody(n)
	body := append([]byte(nil), good...)
	switch dice.IntN(14) {
	case 0: // signed with another secret
		return request(post, "pull_request", guid, "application/json", signature("guess", body), body)
	case 1: // one bit of the body changed
		sum := signature(secret, body)
		body[dice.IntN(len(body))] ^= 1 << dice.IntN(8)
		return request(post, "pull_request", guid, "application/json", sum, body)
	case 2: // one digit of the signature changed
		sum := []byte(signature(secret, body))
		i := 7 + dice.IntN(64)
		sum[i] = "0123456789abcdef"[(strings.IndexByte("0123456789abcdef", sum[i])+1+dice.IntN(15))%16]
		return request(post, "pull_request", guid, "application/json", string(sum), body)
	case 3: // cut, doubled, in capitals, of the old kind
		sum := signature(secret, body)
		return request(post, "pull_request", guid, "application/json",
			[]string{sum[:7+dice.IntN(64)], sum + sum[7:], strings.ToUpper(sum), "sha1=" + sum[7:47], sum[7:], ""}[dice.IntN(6)], body)
	case 4: // cut short, and signed
		body = body[:dice.IntN(len(body))]
	case 5: // a byte that JSON does not take there
		at := dice.IntN(len(body) - 1)
		body = append(append(append([]byte(nil), body[:at]...), 0), body[at:]...)
	case 6:
		body = []byte(strings.Repeat([]string{"[", `{"a":`, `{"a":[`}[dice.IntN(3)], 100+dice.IntN(20_000)))
	case 7: // a key twice
		body = append([]byte(`{"action":"opened","action":"closed",`), body[1:]...)
	case 8: // wrong types
		body = []byte(strings.NewReplacer(`"action":"opened"`, `"action":{"opened":1}`).Replace(string(body)))
	case 9:
		body = []byte(strings.NewReplacer(`"head":{`, `"head":[{`).Replace(string(body)))
	case 10:
		body = make([]byte, 1+dice.IntN(30_000))
		for i := range body {
			body[i] = byte(dice.Uint32())
		}
		body[0] = '{'
	case 11: // a form of nothing
		return request(post, "pull_request", guid, "application/x-www-form-urlencoded", signature(secret, body), body)
	case 12: // a type, a method, an event or a GUID that is none
		sum := signature(secret, body)
		switch dice.IntN(4) {
		case 0:
			return request(post, "pull_request", guid, "text/plain", sum, body)
		case 1:
			return request("PUT /webhooks/github HTTP/1.1", "pull_request", guid, "application/json", sum, body)
		case 2:
			return request(post, "pull request", guid, "application/json", sum, body)
		default:
			return request(post, "pull_request", "a/../b", "application/json", sum, body)
		}
	default: // more than is read
		d := request(post, "pull_request", guid, "application/json", signature(secret, body), nil)
		d.header = []byte(strings.Replace(string(d.header), "Content-Length: 0", fmt.Sprintf("Content-Length: %d", 26<<20+dice.IntN(1<<30)), 1))
		return d
	}
	return request(post, "pull_request", guid, "application/json", signature(secret, body), body)
}

// goodBody is a delivery that would be good.
func goodBody(n int) []byte { return []byte(payload() + rest(firstNumber+n, headOf(n))) }

// Run sends them and writes what came of them. The error says what was accepted, or that the gateway did not live.
func (bad Bad) Run(ctx context.Context, b *Bench) error {
	g, err := b.StartGateway(ctx, Serving{Variant: Ours})
	if err != nil {
		return err
	}
	defer g.Stop()
	m, err := NewMaker("good", secret)
	if err != nil {
		return err
	}
	first := &conn{addr: g.Addr}
	defer first.close()
	good := func(n int) error {
		d, err := m.Make(n, "")
		if err != nil {
			return err
		}
		if status, _, err := first.send(ctx, d, patience); err != nil || status != 202 {
			return fmt.Errorf("a good delivery was answered %d: %w", status, err)
		}
		return nil
	}
	for n := range 200 { // what it holds when it has worked
		if err := good(n); err != nil {
			return err
		}
	}
	before := g.RSS()
	var mu sync.Mutex
	answers := map[int]int{}
	var most int64
	var all sync.WaitGroup
	for worker := range bad.Connections {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(bad.Seed, uint64(worker))) // to be repeated by seed
			c := &conn{addr: g.Addr}
			defer c.close()
			for n := worker; n < bad.Requests && ctx.Err() == nil; n += bad.Connections {
				d := generate(dice, n)
				status, _, _ := c.send(ctx, d, patience) // the gateway may hang up, which is an answer too
				mu.Lock()
				answers[status]++
				if n%1000 == worker {
					most = max(most, g.RSS())
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	after := g.RSS()
	wrong := 0
	for status, n := range answers {
		if status/100 == 2 || status/100 == 5 {
			wrong += n
		}
	}
	var problems []error
	first.close() // it was idle for so long that the gateway may have hung up
	if err := good(1000); err != nil {
		problems = append(problems, err)
	}
	db, err := b.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	var stored int
	if err := db.Pool().QueryRow(ctx, `SELECT count(*) FROM deliveries WHERE guid NOT LIKE 'good-%'`).Scan(&stored); err != nil {
		return fmt.Errorf("count deliveries: %w", err)
	}
	fmt.Fprintf(b.out, "%d bad requests: answers %v (0 is a closed connection); %d stored as deliveries; resident %d MiB before, %d MiB at most, %d MiB after\n",
		bad.Requests, answers, stored, before>>20, max(most, after)>>20, after>>20)
	if wrong > 0 || stored > 0 {
		problems = append(problems, errors.New("a bad request was accepted, or failed the gateway"))
	}
	if after-before > bad.Growth {
		problems = append(problems, fmt.Errorf("the gateway grew by %d MiB", (after-before)>>20))
	}
	return errors.Join(problems...)
}
