package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/review"
)

// ErrPageToken says that a page token is not one that Reviews gave.
var ErrPageToken = errors.New("page token is not from an answer before")

// Filter chooses reviews. The zero value is all of them.
type Filter struct {
	// Repository is "owner/name", in any case.
	Repository string
	Number     int
}

// Page is a piece of a list.
type Page struct {
	// Size is the most to give; 0 means 50, and 500 is the most.
	Size int
	// Token is from the answer before, empty for the first page.
	Token string
}

// The sizes of a page.
const (
	defaultPage = 50
	maxPage     = 500
)

// Reviews lists reviews, newest first, and gives the token of the next page, empty after the last. Reviews made while
// somebody pages are on pages before the first one, and move nothing.
func (s *Store) Reviews(ctx context.Context, f Filter, p Page) (found []Review, next string, err error) {
	size := min(p.Size, maxPage)
	if size <= 0 {
		size = defaultPage
	}
	before, beforeID, err := parseToken(p.Token)
	if err != nil {
		return nil, "", fmt.Errorf("list reviews: %w", err)
	}
	rows, err := s.db.Pool().Query(ctx, `SELECT `+reviewColumns+` FROM reviews r JOIN repositories p ON p.id = r.repository_id
		WHERE ($1 = '' OR lower(p.full_name) = lower($1)) AND ($2 = 0 OR r.number = $2)
			AND ($3::timestamptz IS NULL OR (r.created_at, r.id) < ($3, $4::uuid))
		ORDER BY r.created_at DESC, r.id DESC LIMIT $5`,
		text(f.Repository), f.Number, before, nullableText(beforeID), size+1)
	if err != nil {
		return nil, "", fmt.Errorf("list reviews: %w", err)
	}
	found, err = pgx.CollectRows(rows, scanReview)
	if err != nil {
		return nil, "", fmt.Errorf("list reviews: %w", err)
	}
	if len(found) > size {
		found = found[:size]
		next = token(found[size-1])
	}
	return found, next, nil
}

func token(last Review) string {
	return base64.RawURLEncoding.EncodeToString(
		[]byte(strconv.FormatInt(last.CreatedAt.UnixMicro(), 36) + "." + string(last.ID)))
}

func parseToken(token string) (*time.Time, review.ID, error) {
	if token == "" {
		return nil, "", nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", ErrPageToken
	}
	at, id, _ := strings.Cut(string(decoded), ".")
	micros, err := strconv.ParseInt(at, 36, 64)
	// Postgres knows no time after the year 294276; such a token is not from here either.
	if err != nil || !known(review.ID(id)) || micros < 0 || micros > 253402300799_000000 {
		return nil, "", ErrPageToken
	}
	t := time.UnixMicro(micros)
	return &t, review.ID(id), nil
}
