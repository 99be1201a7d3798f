package githubtest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Paging makes listings behave as they do when something is added, deleted or reordered while somebody reads them page
// by page.
type Paging struct {
	// Size is the most that a page holds, whatever was asked for; 0 leaves it as asked.
	Size int
	// Repeat begins each page with the last item of the one before.
	Repeat bool
	// Gap puts an empty page between the first and the second.
	Gap bool
	// Stride is how far apart the numbers of pages are; 0 is one. Only the next link leads from page to page.
	Stride int
}

// SetPaging changes how every listing is given from now on.
func (s *Server) SetPaging(p Paging) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paging = p
}

// cut gives the pages of a listing.
func cut[T any](items []T, size int, p Paging) [][]T {
	if p.Size > 0 {
		size = min(size, p.Size)
	}
	var pages [][]T
	for from := 0; from < len(items); from += size {
		page := items[from:min(len(items), from+size)]
		if p.Repeat && from > 0 {
			page = append([]T{items[from-1]}, page...)
		}
		pages = append(pages, page)
	}
	if p.Gap && len(pages) > 1 {
		pages = slices.Insert(pages, 1, []T{})
	}
	return pages
}

// paged cuts one page out of a listing and gives the header that leads to the others.
func paged[T any](s *Server, r *request, items []T) ([]T, http.Header) {
	size, at := 30, 1
	if n, err := strconv.Atoi(r.query.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	if n, err := strconv.Atoi(r.query.Get("page")); err == nil && n > 0 {
		at = n
	}
	pages, stride := cut(items, size, s.paging), max(1, s.paging.Stride)
	index := (at - 1) / stride
	var links []string
	link := func(rel string, to int) {
		q := url.Values{}
		for k, v := range r.query {
			q[k] = v
		}
		q.Set("page", strconv.Itoa(1+to*stride))
		links = append(links, "<"+s.URL+r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="`+rel+`"`)
	}
	if index+1 < len(pages) {
		link("next", index+1)
		link("last", len(pages)-1)
	}
	if index > 0 {
		link("first", 0)
		link("prev", index-1)
	}
	h := http.Header{}
	if len(links) > 0 {
		h.Set("Link", strings.Join(links, ", "))
	}
	if index >= len(pages) {
		return nil, h
	}
	return pages[index], h
}
