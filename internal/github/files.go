package github

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/url"
	"strings"

	gh "github.com/google/go-github/v62/github"
)

// File reads a file at a commit or branch. It gives nil when there is no such file there; an empty file is not nil. A
// file beyond 8 MiB is a TooLarge error, a commit that is gone a NotFound one.
//
// GitHub answers the same 404 for a path that is not there and for a repository that is not (or no more) ours; that one
// shows at every other call.
func (c *Client) File(ctx context.Context, repo, ref, path string) ([]byte, error) {
	const op = "get file"
	owner, name, err := split(op, repo)
	if err != nil {
		return nil, err
	}
	if ref == "" {
		return nil, &Error{Op: op, Kind: Invalid, Message: "no commit"}
	}
	escaped, ok := escapePath(path)
	if !ok {
		return nil, nil
	}
	at := "repos/" + owner + "/" + name + "/contents/" + escaped + "?ref=" + url.QueryEscape(ref)
	var header string
	content, _, err := call(ctx, c, op, false, func(ctx context.Context) ([]byte, *gh.Response, error) {
		b, resp, err := bodyOf(ctx, c, at, "application/vnd.github.raw+json")
		if resp != nil {
			header = resp.Header.Get("Content-Type")
		}
		return b, resp, err
	})
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind == NotFound && !strings.HasPrefix(strings.ToLower(e.Message), "no commit found") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if media, _, err := mime.ParseMediaType(header); err == nil && media == "application/json" {
		return described(content), nil
	}
	if content == nil {
		content = []byte{}
	}
	return content, nil
}

// described reads an answer that is no file but a description: a directory, a submodule, or (from servers that know no
// raw media type) a file in base64. What is no file is nil.
func described(content []byte) []byte {
	var entry struct{ Type, Encoding, Content string }
	if err := json.Unmarshal(content, &entry); err != nil || entry.Type != "file" || entry.Encoding != "base64" {
		return nil
	}
	plain, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(entry.Content, "\n", ""))
	if err != nil {
		return nil
	}
	return plain
}

// escapePath escapes a path for a URL. It refuses what git cannot hold, so that no path of a diff leads out of the
// repository.
func escapePath(path string) (string, bool) {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p == "" || p == "." || p == ".." || strings.ContainsRune(p, 0) {
			return "", false
		}
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/"), true
}
