package finding

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// idLine is a line of a generated file that knows which line it is, whatever its text.
type idLine struct {
	id   int
	from int // the id of the line that it was copied from, or its own
	text string
}

// history generates versions of a file of which it knows each line's fate.
type history struct {
	r    *rand.Rand
	next int
}

// common are lines that stand many times in any file.
var common = []string{"}", "", "\treturn nil", "\t}", "\tif err != nil {", "\t\treturn err", "} else {", "\tx++", "\tdefer mu.Unlock()"}

func (h *history) fresh(text string) idLine {
	h.next++
	return idLine{h.next, h.next, text}
}

// line gives a line of its own or a common one.
func (h *history) line() idLine {
	if h.r.IntN(5) < 2 {
		return h.fresh(common[h.r.IntN(len(common))])
	}
	return h.fresh(fmt.Sprintf("\t%s%d := %s(%d)", []string{"sum", "user", "total"}[h.r.IntN(3)], h.next, []string{"load", "compute"}[h.r.IntN(2)], h.r.IntN(1000)))
}

// file gives a first version; it may have blocks that stand twice.
func (h *history) file(n int) []idLine {
	var lines []idLine
	for len(lines) < n {
		if len(lines) > 8 && h.r.IntN(12) == 0 {
			from := h.r.IntN(len(lines) - 4)
			for _, l := range lines[from : from+1+h.r.IntN(4)] {
				lines = append(lines, h.fresh(l.text)) // equal, but nobody's copy
			}
			continue
		}
		lines = append(lines, h.line())
	}
	return lines
}

// edit makes one edit near a place, or anywhere.
func (h *history) edit(lines []idLine, near int) []idLine {
	if len(lines) < 6 {
		return append(lines, h.line())
	}
	at := h.r.IntN(len(lines))
	if near >= 0 && h.r.IntN(2) == 0 {
		at = min(max(0, near-3+h.r.IntN(8)), len(lines)-1)
	}
	size := 1 + h.r.IntN(4)
	end := min(at+size, len(lines))
	switch h.r.IntN(8) {
	case 0, 1:
		added := make([]idLine, size)
		for i := range added {
			added[i] = h.line()
		}
		return slices.Insert(slices.Clone(lines), at, added...)
	case 2:
		return slices.Delete(slices.Clone(lines), at, end)
	case 3, 4: // a line is changed: it is another one from now on
		out := slices.Clone(lines)
		out[at] = h.line()
		if h.r.IntN(2) == 0 {
			out[at] = h.fresh(lines[at].text + " // changed")
		}
		return out
	case 5: // moved
		block := slices.Clone(lines[at:end])
		out := slices.Delete(slices.Clone(lines), at, end)
		return slices.Insert(out, h.r.IntN(len(out)+1), block...)
	case 6: // copied
		var block []idLine
		for _, l := range lines[at:end] {
			h.next++
			block = append(block, idLine{h.next, l.from, l.text})
		}
		return slices.Insert(slices.Clone(lines), h.r.IntN(len(lines)+1), block...)
	default: // indented
		out := slices.Clone(lines)
		for i := at; i < end; i++ {
			out[i].text = "\t" + out[i].text
		}
		return out
	}
}

func contentOf(lines []idLine) []byte {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	return []byte(b.String())
}

// trueFate says where the lines of a span are in a newer version: intact when all of them stand there side by side,
// blank lines aside.
func trueFate(before, after []idLine, at span) (now span, intact bool) {
	pos := map[int]int{}
	for j, l := range after {
		pos[l.id] = j
	}
	last := -1
	for i := at.from; i <= at.to; i++ {
		if squeeze(before[i].text) == "" {
			continue
		}
		j, ok := pos[before[i].id]
		switch {
		case !ok || squeeze(after[j].text) != squeeze(before[i].text):
			return span{}, false
		case last < 0:
			now.from = j
		default:
			for k := last + 1; k < j; k++ {
				if squeeze(after[k].text) != "" {
					return span{}, false
				}
			}
			if j < last {
				return span{}, false
			}
		}
		last, now.to = j, j
	}
	return now, last >= 0
}

// sameContent says whether lines at a place of the newer version, though not all of them those anchored, cannot be told
// from them by anybody who sees the contents only: they are the anchored ones or copies of them, but for lines like "}"
// of which one is as good as the other, or several lines that are the only such code in both versions; or there is a
// history in which the anchored ones went there and which keeps as many lines as the real one.
func sameContent(before, after []idLine, at, now span) bool {
	same, own := true, false
	k := now.from
	for i := at.from; i <= at.to; i++ {
		if squeeze(before[i].text) == "" {
			continue
		}
		for k <= now.to && squeeze(after[k].text) == "" {
			k++
		}
		if k > now.to {
			return false
		}
		mine := after[k].from == before[i].from
		own = own || mine
		same = same && (mine || slices.Contains(common, strings.TrimLeft(before[i].text, "\t")) || slices.Contains(common, before[i].text))
		k++
	}
	if same && own || at.to > at.from && times(before, before, at) == 1 && times(after, before, at) == 1 {
		return true
	}
	text := func(l idLine) string { return squeeze(l.text) }
	identity := func(l idLine) string { return fmt.Sprint(l.id, squeeze(l.text)) }
	kept := keeps(before[:at.from], after[:now.from], text) + keeps(before[at.from:at.to+1], after[now.from:now.to+1], text) +
		keeps(before[at.to+1:], after[now.to+1:], text)
	return kept >= keeps(before, after, identity)
}

// keeps is the length of the longest common run of lines.
func keeps(a, b []idLine, key func(idLine) string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			up := row[j+1]
			if key(a[i]) == key(b[j]) {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(up, row[j])
			}
			diagonal = up
		}
	}
	return row[len(b)]
}

// times counts where the lines of a span of one version stand in another, side by side, blank lines aside.
func times(in, of []idLine, at span) (n int) {
	text := func(lines []idLine) (out []string) {
		for _, l := range lines {
			if s := squeeze(l.text); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	lines, code := text(in), text(of[at.from:at.to+1])
	for i := 0; i+len(code) <= len(lines); i++ {
		if slices.Equal(lines[i:i+len(code)], code) {
			n++
		}
	}
	return n
}
