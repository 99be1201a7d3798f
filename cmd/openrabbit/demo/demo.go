// Package demo ships the pull request that `openrabbit demo` reviews: a small shop in Go, Python and TypeScript, before
// and after a change with real bugs, and the answers of a scripted model for that change.
package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed testdata
var files embed.FS

// Repository, Title and Body are what the pull request says of itself.
const (
	Repository = "corner-shop/shop"
	Title      = "Discount codes"
	Author     = "sam"
	Body       = "Customers can pay with discount codes now. Stock is reserved for the whole order at once.\n\n" +
		"- `ReserveAll` takes all lines or none\n- a code counts once\n- the cart adds up equal articles"
)

// marker stands in the shipped files where the demonstration puts a credential. The credential itself is in no file, so
// that nobody's scanner finds it in this repository.
const marker = "@@DEMO_SECRET@@"

// credential has the form of a payment key and opens nothing.
func credential() string { return "sk" + "_live_" + "9fK2mQ7xVw4LcTz1RbY8nHd3" }

// Base gives the files before the change, by path.
func Base() (map[string]string, error) { return tree("testdata/base") }

// Head gives the files after the change, by path.
func Head() (map[string]string, error) { return tree("testdata/head") }

// Script gives the answers of the scripted model, in the form of internal/llmtest.
func Script() ([]byte, error) {
	text, err := files.ReadFile("testdata/script.json")
	if err != nil {
		return nil, fmt.Errorf("read the demo's script: %w", err)
	}
	return text, nil
}

func tree(root string) (map[string]string, error) {
	out := map[string]string{}
	err := fs.WalkDir(files, root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		out[strings.TrimPrefix(path, root+"/")] = strings.ReplaceAll(string(text), marker, credential())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the demo's files: %w", err)
	}
	return out, nil
}
