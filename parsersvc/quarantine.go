package parsersvc

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// digest identifies content.
type digest [sha256.Size]byte

// digestOf gives the digest of texts, told apart by their lengths, once it is asked for.
func digestOf(parts ...[]byte) func() digest {
	return sync.OnceValue(func() digest {
		h := sha256.New()
		for _, p := range parts {
			n := len(p)
			h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
			h.Write(p)
		}
		var d digest
		h.Sum(d[:0])
		return d
	})
}

// quarantine remembers content that killed parsers. It holds a bounded number of digests and forgets the one that was
// met longest ago.
type quarantine struct {
	mu    sync.Mutex
	most  int
	kills map[digest]*list.Element
	order *list.List // of *convict, the one met last in front
}

type convict struct {
	digest digest
	kills  int
}

// killsToQuarantine is after how many kills a content is not tried again.
const killsToQuarantine = 2

func newQuarantine(most int) *quarantine {
	return &quarantine{most: most, kills: make(map[digest]*list.Element), order: list.New()}
}

// holds says whether content is not to be tried. While nothing has killed a parser, no digest is computed.
func (q *quarantine) holds(d func() digest) bool {
	if q.len() == 0 {
		return false
	}
	content := d()
	q.mu.Lock()
	defer q.mu.Unlock()
	e, ok := q.kills[content]
	if !ok {
		return false
	}
	q.order.MoveToFront(e)
	return e.Value.(*convict).kills >= killsToQuarantine
}

// killed remembers that content killed a parser.
func (q *quarantine) killed(d digest) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e, ok := q.kills[d]; ok {
		e.Value.(*convict).kills++
		q.order.MoveToFront(e)
		return
	}
	q.kills[d] = q.order.PushFront(&convict{d, 1})
	if q.order.Len() > q.most {
		last := q.order.Back()
		q.order.Remove(last)
		delete(q.kills, last.Value.(*convict).digest)
	}
}

// len gives how many contents are remembered.
func (q *quarantine) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order.Len()
}
