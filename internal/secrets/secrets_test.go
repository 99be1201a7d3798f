package secrets_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/secrets"
)

// The tests put credentials together from parts, so that no scanner of this repository finds one here.
var (
	githubToken = "ghp_" + "k7Qw2ZrT9xLm4VbN8cYf" + "1HsD6uJp3Ae0Gi5O"
	awsKey      = "AKIA" + "2E7A5F3B244C" + "QXYW"
	stripeKey   = "sk_live_" + "4eC39HqLyjWDarjtT1" + "zdp7dcQx"
	slackToken  = "xoxb-" + "2345678901-2345678901234-" + "AbCdEfGhIjKlMnOpQrStUvWx"
	privateKey  = "-----BEGIN RSA PRIVATE " + "KEY-----\n" +
		"MIIEpAIBAAKCAQEA7bq3kq0mZ0nQ5yWxR1cVtB2sU8eFhGjKlPoIuYtReWqAsDfG\n" +
		"HjKlZxCvBnM1234567890QwErTyUiOpAsDfGhJkLzXcVbNmQwErTyUiOp1234567\n" +
		"-----END RSA PRIVATE " + "KEY-----"
)

func scanner(t testing.TB) *secrets.Scanner {
	t.Helper()
	s, err := secrets.New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScan(t *testing.T) {
	t.Parallel()
	s := scanner(t)
	for _, tt := range []struct {
		name, text string
		want       []string // "rule line-end"
		secret     []string // the bytes it points at
	}{
		{name: "nothing", text: "package main\n\nfunc main() {}\n"},
		{name: "empty"},
		{name: "github token", text: "a := 1\ntoken := \"" + githubToken + "\"\n", want: []string{"github-pat 2-2"}, secret: []string{githubToken}},
		{name: "aws", text: "aws_access_key_id = " + awsKey + "\n", want: []string{"aws-access-token 1-1"}, secret: []string{awsKey}},
		{name: "last line without newline", text: "x\ny\nk = \"" + stripeKey + "\"", want: []string{"stripe-access-token 3-3"}, secret: []string{stripeKey}},
		{name: "slack", text: "\n\n\nbot: " + slackToken + "\n", want: []string{"slack-bot-token 4-4"}, secret: []string{slackToken}},
		{name: "private key over lines", text: "const k = `\n" + privateKey + "\n`\n", want: []string{"private-key 2-5"}, secret: []string{privateKey}},
		{name: "two on a line", text: githubToken + " " + awsKey, want: []string{"github-pat 1-1", "aws-access-token 1-1"}, secret: []string{githubToken, awsKey}},
		{name: "twice", text: "a=\"" + githubToken + "\"\nb=\"" + githubToken + "\"\n", want: []string{"github-pat 1-1", "github-pat 2-2"}, secret: []string{githubToken, githubToken}},
		{name: "carriage returns", text: "a\r\ntoken = \"" + githubToken + "\"\r\n", want: []string{"github-pat 2-2"}, secret: []string{githubToken}},
		{name: "the allow comment is not ours to honour", text: "t = \"" + githubToken + "\" # gitleaks:allow\n", want: []string{"github-pat 1-1"}, secret: []string{githubToken}},
		{name: "documented example of aws", text: "aws_access_key_id = AKIAIOSFODNN7" + "EXAMPLE\n"},
		{name: "placeholders", text: "api_key = \"your-api-key-1234567890\"\nsecret = \"dummy9876543210zyx\"\npassword = \"changeme1234567x\"\n"},
		{name: "names of types", text: "void set(AuthorizationProvider authz, ManagementPermissionsV2 root) {}\nkey := ManagementPermissionsV2\n\nkey: SomeTranslatedLabelName,\n"},
		{name: "by its name", text: "api_key = \"q8Zt" + "4mXw9LpR2vNc7KdB" + "\"\n", want: []string{"generic-api-key 1-1"}, secret: []string{"q8Zt" + "4mXw9LpR2vNc7KdB"}},
		{name: "by its name, bare", text: "API_KEY=q8Zt" + "4mXw9LpR2vNc7KdB" + "\n", want: []string{"generic-api-key 1-1"}, secret: []string{"q8Zt" + "4mXw9LpR2vNc7KdB"}},
		{name: "variables", text: "token := os.Getenv(\"TOKEN\")\nkey = ${API_KEY}\nsecret: {{ .Values.secret }}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := s.Scan(tt.text)
			if len(got) != len(tt.want) {
				t.Fatalf("found %d, want %d: %+v", len(got), len(tt.want), got)
			}
			for i, f := range got {
				if d := fmt.Sprintf("%s %d-%d", f.Rule, f.Line, f.EndLine); d != tt.want[i] {
					t.Errorf("finding %d is %q, want %q", i, d, tt.want[i])
				}
				if at := tt.text[f.Start:f.End]; at != tt.secret[i] {
					t.Errorf("finding %d points at %q, want %q", i, at, tt.secret[i])
				}
				if strings.Contains(fmt.Sprintf("%+v", f), tt.secret[i]) {
					t.Errorf("finding %d holds its secret", i)
				}
			}
		})
	}
}

// One Scanner serves many reviews at once, and each gets the same answer.
func TestScanConcurrently(t *testing.T) {
	t.Parallel()
	s := scanner(t)
	text := "a := \"" + githubToken + "\"\nb := \"" + awsKey + "\"\n" + privateKey + "\n" + strings.Repeat("x := key(1)\n", 50)
	want := fmt.Sprint(s.Scan(text))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if got := fmt.Sprint(s.Scan(text)); got != want {
					t.Errorf("got %s, want %s", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Scanners made at the same time don't disturb each other.
func TestNewConcurrently(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := secrets.New()
			if err != nil {
				t.Error(err)
				return
			}
			if n := len(s.Scan("t = \"" + githubToken + "\"")); n != 1 {
				t.Errorf("found %d, want 1", n)
			}
		})
	}
	wg.Wait()
}

// Whatever the text, the places lie within it and agree with each other.
func FuzzScan(f *testing.F) {
	f.Add("token = \"" + githubToken + "\"\r\n" + privateKey)
	f.Add("\n\n" + awsKey + "\x00\xff" + stripeKey)
	s := scanner(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, got := range s.Scan(text) {
			check(t, text, got)
		}
	})
}

func check(t *testing.T, text string, s review.Secret) {
	t.Helper()
	if s.Start < 0 || s.End > len(text) || s.Start >= s.End {
		t.Fatalf("bytes %d-%d of %d", s.Start, s.End, len(text))
	}
	if line := 1 + strings.Count(text[:s.Start], "\n"); line != s.Line {
		t.Fatalf("line %d, want %d", s.Line, line)
	}
	if s.EndLine < s.Line || s.Rule == "" {
		t.Fatalf("got %+v", s)
	}
}

func BenchmarkScanHunk(b *testing.B) {
	s := scanner(b)
	text := strings.Repeat("\tif err := client.Do(ctx, key, value); err != nil { return fmt.Errorf(\"do: %w\", err) }\n", 48)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Scan(text)
	}
}
