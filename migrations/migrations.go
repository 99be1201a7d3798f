// Package migrations embeds OpenRabbit's SQL. Files are applied in the order of their number, each once, and are
// never edited after a release: a change is a new file.
package migrations

import "embed"

// Files holds NNNN_name.sql.
//
//go:embed *.sql
var Files embed.FS
