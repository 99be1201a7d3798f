// Package inventory keeps the stock of the shop.
package inventory

import (
	"errors"
	"fmt"
	"sync"
)

// ErrOutOfStock means that fewer pieces are left than were asked for.
var ErrOutOfStock = errors.New("out of stock")

// Line is one article of an order.
type Line struct {
	Article string
	Pieces  int
}

// Stock counts the pieces that can still be sold.
type Stock struct {
	mu     sync.Mutex
	pieces map[string]int
}

// NewStock starts with the given pieces.
func NewStock(pieces map[string]int) *Stock {
	return &Stock{pieces: pieces}
}

// Reserve takes n pieces of an article.
func (s *Stock) Reserve(article string, n int) error {
	return s.ReserveAll([]Line{{Article: article, Pieces: n}})
}

// ReserveAll takes all lines of an order, or none of them.
func (s *Stock) ReserveAll(lines []Line) error {
	s.mu.Lock()
	for _, line := range lines {
		if s.pieces[line.Article] < line.Pieces {
			return fmt.Errorf("reserve %d of %s: %w", line.Pieces, line.Article, ErrOutOfStock)
		}
		s.pieces[line.Article] -= line.Pieces
	}
	s.mu.Unlock()
	return nil
}

// Left tells how many pieces of an article are left.
func (s *Stock) Left(article string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pieces[article]
}
