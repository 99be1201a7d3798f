// Package inventory keeps the stock of the shop.
package inventory

import (
	"errors"
	"sync"
)

// ErrOutOfStock means that fewer pieces are left than were asked for.
var ErrOutOfStock = errors.New("out of stock")

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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pieces[article] < n {
		return ErrOutOfStock
	}
	s.pieces[article] -= n
	return nil
}

// Left tells how many pieces of an article are left.
func (s *Stock) Left(article string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pieces[article]
}
