package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/openrabbit/openrabbit/internal/eval"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/prompt"
	"github.com/openrabbit/openrabbit/internal/review"
)

// evalModel stands between the engine and a model: it keeps what was asked, and records answers or plays them back.
type evalModel struct {
	inner          review.Model
	record, replay string
	off            string

	mu    sync.Mutex
	asked []review.ModelRequest
}

var _ review.Model = (*evalModel)(nil)

// Available implements review.Model.
func (m *evalModel) Available(ctx context.Context) (ok bool, why string) {
	switch {
	case m.off != "":
		return false, m.off
	case m.replay != "":
		return true, ""
	}
	return m.inner.Available(ctx)
}

// recorded is one answer in a file. The question is there for a reader.
type recorded struct {
	Question review.ModelRequest `json:"question"`
	Answer   review.ModelAnswer  `json:"answer"`
}

// Ask implements review.Model.
func (m *evalModel) Ask(ctx context.Context, q review.ModelRequest) (review.ModelAnswer, error) {
	m.mu.Lock()
	m.asked = append(m.asked, q)
	m.mu.Unlock()
	name, err := recordName(q)
	if err != nil {
		return review.ModelAnswer{}, err
	}
	if m.replay != "" {
		text, err := os.ReadFile(filepath.Join(m.replay, name))
		if errors.Is(err, fs.ErrNotExist) {
			return review.ModelAnswer{Outcome: review.OutcomeUnavailable, Detail: "no answer to this question was recorded"}, nil
		}
		var r recorded
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			return review.ModelAnswer{}, fmt.Errorf("replay %s: %w", name, err)
		}
		return r.Answer, nil
	}
	answer, err := m.inner.Ask(ctx, q)
	if err != nil || m.record == "" {
		return answer, err
	}
	return answer, writeJSONFile(filepath.Join(m.record, name), recorded{q, answer})
}

// recordName is the name of an answer's file: the hash of the question.
func recordName(q review.ModelRequest) (string, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("name a record: %w", err)
	}
	sum := sha256.Sum256(text)
	return q.SchemaName + "-" + hex.EncodeToString(sum[:12]) + ".json", nil
}

// prompts gives what the finders were shown, and counts their tokens.
func (m *evalModel) prompts(row *evalRow) []eval.Shown {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []eval.Shown
	for _, q := range m.asked {
		if q.SchemaName != "findings" {
			continue
		}
		n := 0
		for _, msg := range q.Messages {
			n += prompt.Tokens(msg.Content)
		}
		row.Prompts++
		row.PromptTokens += n
		row.Largest = max(row.Largest, n)
		list = append(list, eval.ParsePrompt(q.Messages[len(q.Messages)-1].Content))
	}
	return list
}

// silentModel finds nothing, in the right form.
type silentModel struct{}

// Available implements review.Model.
func (silentModel) Available(context.Context) (bool, string) { return true, "" }

// Ask implements review.Model.
func (silentModel) Ask(_ context.Context, q review.ModelRequest) (review.ModelAnswer, error) {
	content := `{"summary":"A change.","changes":[],"risk":""}`
	if q.SchemaName == "findings" {
		content = `{"findings":[]}`
	}
	return review.ModelAnswer{Outcome: review.OutcomeOK, Content: content, Model: "silent"}, nil
}

// judge asks a model which finding says what a golden comment says. It says false when no usable answer came.
func judge(ctx context.Context, model review.Model, golden []eval.Golden, found []finding.Finding) ([]int, bool, error) {
	if ok, _ := model.Available(ctx); !ok {
		return nil, false, nil
	}
	set, err := prompt.Load()
	if err != nil {
		return nil, false, err
	}
	var in prompt.JudgeInput
	for i, g := range golden {
		in.Golden = append(in.Golden, fmt.Sprintf("%d. %s", i+1, g.Text))
	}
	for i := range found {
		f := &found[i]
		in.Findings = append(in.Findings, fmt.Sprintf("%d. %s: %s\n%s", i+1, f.Path, f.Title, f.Body))
	}
	pairs := make([]int, len(golden))
	for i := range pairs {
		pairs[i] = -1
	}
	if len(golden) == 0 || len(found) == 0 {
		return pairs, true, nil
	}
	p, err := set.Judge(in)
	if err != nil {
		return nil, false, err
	}
	answer, err := model.Ask(ctx, review.ModelRequest{Tier: review.Main, SchemaName: p.SchemaName, Schema: p.Schema, MaxOutputTokens: 2000,
		PromptHash: p.Hash, Messages: []review.Message{{Role: "system", Content: p.System}, {Role: "user", Content: p.User}}})
	if err != nil {
		return nil, false, err
	}
	var said struct {
		Matches []struct{ Golden, Finding int }
	}
	if answer.Outcome != review.OutcomeOK || json.Unmarshal([]byte(answer.Content), &said) != nil {
		return nil, false, nil
	}
	taken := map[int]bool{}
	for _, match := range said.Matches {
		g, f := match.Golden-1, match.Finding-1
		if g >= 0 && g < len(golden) && f >= 0 && f < len(found) && pairs[g] < 0 && !taken[f] {
			pairs[g], taken[f] = f, true
		}
	}
	return pairs, true, nil
}
