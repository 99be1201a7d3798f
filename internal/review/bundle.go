package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/prompt"
)

const (
	// maxBundles bounds the finders of one review.
	maxBundles = 40
	// maxFindings is how many findings a finder is asked for, and the most that are taken from it.
	maxFindings = 20
	// maxOthers bounds the list of changed files that a prompt does not show.
	maxOthers = 40
	// perFile is what the frame of a file takes in a prompt, in tokens.
	perFile = 40
)

// piece is a part of a file in a bundle.
type piece struct {
	subject *subject
	part    prompt.Part
}

// bundle is what one finder reads.
type bundle struct {
	pieces []piece
	// surroundings are snippets from elsewhere, best first.
	surroundings []prompt.Snippet
	// tokens is the estimate for the pieces.
	tokens int
}

// shares of the prompt's tokens: what is not under review must not push out what is.
type shares struct {
	pieces, surroundings, guidance, others int
}

// room divides a prompt of the configured size.
func (r *run) room() shares {
	frame, err := r.prompts.Finder(prompt.FinderInput{Change: r.about, MaxFindings: maxFindings})
	used := prompt.Tokens(frame.System + frame.User)
	if err != nil {
		used = r.options.PromptTokens / 3
	}
	left := max(r.options.PromptTokens-used, 800)
	s := shares{surroundings: left / 4}
	if r.options.Guidelines != "" || len(r.options.Instructions) > 0 {
		s.guidance = left / 8
	}
	s.others = min(left/12, 400)
	s.pieces = left - s.surroundings - s.guidance - s.others
	return s
}

// roomBeside is how many tokens of what surrounds it a bundle may show: its share, and of what the bundle leaves free as
// much as makes a third of the prompt in all. More than that would bury the change.
func (r *run) roomBeside(b *bundle) int {
	room := r.room()
	free := max(room.pieces-b.tokens, 0)
	return min(room.surroundings+free, max(room.surroundings, (room.pieces+room.surroundings)/3))
}

// bundle packs the shown parts of all files into as few prompts as hold them, with files that belong together in one. A
// file that is too large for one is split between them.
func (r *run) bundle() {
	room := r.room()
	var parcels []parcel
	for _, s := range r.subjects {
		p := parcel{subject: s, tokens: perFile}
		for _, w := range s.windows() {
			part := s.part(w)
			if len(part.Lines) == 0 {
				continue
			}
			if part.Cut > 0 {
				r.omit(s.path, fmt.Sprintf("the last %d lines of this deleted file were not shown", part.Cut), true)
			}
			for _, part := range s.split(part, room.pieces-perFile) {
				p.pieces = append(p.pieces, piece{subject: s, part: part})
				p.tokens += tokens(part)
			}
		}
		if len(p.pieces) == 0 {
			r.omit(s.path, "none of its lines could be shown", false)
			continue
		}
		parcels = append(parcels, p)
	}
	for _, group := range r.grouped(parcels, room.pieces) {
		whole := 0
		for _, p := range group {
			whole += p.tokens
		}
		r.begin(whole, room.pieces)
		for _, p := range group {
			r.begin(p.tokens, room.pieces)
			for _, piece := range p.pieces {
				r.put(piece, room.pieces)
			}
		}
	}
	r.limitBundles()
	r.noteGuidance(room)
}

// begin starts a bundle for what would fit whole into an empty one and does not fit into the last.
func (r *run) begin(need, room int) {
	if last := r.lastBundle(); last == nil || last.tokens+need > room && last.tokens > 0 {
		r.bundles = append(r.bundles, &bundle{})
	}
}

func (r *run) lastBundle() *bundle {
	if len(r.bundles) == 0 {
		return nil
	}
	return r.bundles[len(r.bundles)-1]
}

// put adds a piece to the last bundle, or to a new one.
func (r *run) put(p piece, room int) {
	b := r.lastBundle()
	need := tokens(p.part)
	if !b.holds(p.subject) {
		need += perFile
	}
	if len(b.pieces) > 0 && b.tokens+need > room {
		b = &bundle{}
		r.bundles = append(r.bundles, b)
	}
	b.pieces = append(b.pieces, p)
	b.tokens += need
}

func (b *bundle) holds(s *subject) bool {
	return slices.ContainsFunc(b.pieces, func(p piece) bool { return p.subject == s })
}

// limitBundles leaves out what lies beyond the number of finders that one review may take.
func (r *run) limitBundles() {
	if len(r.bundles) > maxBundles {
		r.bundles, r.excess = r.bundles[:maxBundles], r.bundles[maxBundles:]
	}
}

// miss is a bundle, or a part of one, that no usable answer came for.
type miss struct {
	bundle *bundle
	reason string
}

// missed omits what was not reviewed. A file of which other parts were reviewed counts as reviewed, and the omission
// says which lines were not.
func (r *run) missed(misses []miss, reviewed []*bundle) {
	for _, m := range misses {
		for _, p := range m.bundle.pieces {
			s, reason := p.subject, m.reason
			if slices.ContainsFunc(reviewed, func(b *bundle) bool { return b.holds(s) }) {
				s.seen = true
				reason = fmt.Sprintf("%s: %s", spanOf(p.part), reason)
			}
			r.omit(s.path, reason, false)
		}
	}
}

// files groups the pieces of a bundle by file.
func (b *bundle) files() []prompt.File { return filesOf(b.pieces) }

func filesOf(pieces []piece) []prompt.File {
	var list []prompt.File
	var last *subject
	for _, p := range pieces {
		if p.subject != last {
			list = append(list, prompt.File{Path: p.subject.path, About: p.subject.about()})
			last = p.subject
		}
		f := &list[len(list)-1]
		f.Parts = append(f.Parts, p.part)
	}
	return list
}

// shows says whether a bundle shows a line of the new side of a file.
func (b *bundle) shows(s *subject, line int) bool {
	for _, p := range b.pieces {
		if p.subject != s {
			continue
		}
		for _, l := range p.part.Lines {
			if l.Number == line {
				return true
			}
		}
	}
	return false
}

// halves splits a bundle whose answer was too much for the model: by its files, or its one part by its lines.
func (b *bundle) halves() []*bundle {
	if n := len(b.pieces); n > 1 {
		return []*bundle{
			{pieces: b.pieces[:n/2], surroundings: b.surroundings},
			{pieces: b.pieces[n/2:], surroundings: b.surroundings},
		}
	}
	if len(b.pieces) == 0 {
		return nil
	}
	p := b.pieces[0]
	first, second, ok := p.subject.halve(p.part)
	if !ok {
		return nil
	}
	return []*bundle{
		{pieces: []piece{{p.subject, first}}, surroundings: b.surroundings},
		{pieces: []piece{{p.subject, second}}, surroundings: b.surroundings},
	}
}

// instructions gives the maintainers' guidance for the files of a bundle, within a share of the prompt, and the globs of
// what did not fit.
func (r *run) instructions(b *bundle, room int) (list []prompt.Instruction, leftOut []string) {
	for _, i := range r.options.Instructions {
		if !slices.ContainsFunc(b.pieces, func(p piece) bool { return doublestar.MatchUnvalidated(i.Path, p.subject.path) }) {
			continue
		}
		text := r.masker.text(i.Instructions)
		need := prompt.Tokens(i.Path+text) + perFile/2
		if need > room {
			leftOut = append(leftOut, i.Path)
			continue
		}
		room -= need
		list = append(list, prompt.Instruction{Path: i.Path, Text: text})
	}
	return list, leftOut
}

// noteGuidance tells of guidance that is too long for a prompt.
func (r *run) noteGuidance(room shares) {
	if cutTokens(r.options.Guidelines, room.guidance/2) != strings.TrimSpace(r.options.Guidelines) {
		r.note("The guidelines are too long and were read in part.")
	}
	for _, b := range r.bundles {
		_, leftOut := r.instructions(b, room.guidance/2)
		for _, path := range leftOut {
			r.note(fmt.Sprintf("The path_instructions for %s are too long and were left out where they did not fit.", path))
		}
	}
}

// others lists the changed files that a bundle does not show, in so many tokens.
func (r *run) others(b *bundle, room int) []string {
	var list []string
	left := 0
	for i := range r.change.Diff.Files {
		f := &r.change.Diff.Files[i]
		if slices.ContainsFunc(b.pieces, func(p piece) bool { return p.subject.file == f }) {
			continue
		}
		text := otherFile(f)
		if need := prompt.Tokens(text) + 1; left > 0 || len(list) == maxOthers || need > room {
			left++
		} else {
			room -= need
			list = append(list, text)
		}
	}
	if left > 0 {
		list = append(list, fmt.Sprintf("and %d more", left))
	}
	return list
}

func otherFile(f *diff.File) string {
	added, deleted := f.Counts()
	path := f.Path()
	if len(path) > 160 {
		path = "…" + strings.ToValidUTF8(path[len(path)-160:], "")
	}
	return fmt.Sprintf("%s (+%d -%d)", path, added, deleted)
}
