package config

import "log/slog"

const redacted = "[redacted]"

// Secret is a value that must not be printed: every way of formatting or encoding it gives "[redacted]". The zero value
// is a secret that is not set. Two secrets are compared by what Reveal gives, not by ==.
type Secret struct {
	// Behind a pointer, fmt prints an address even where it may not call a method (an unexported field of a struct).
	value *string
}

// NewSecret wraps a value. An empty one is not set.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{value: &s}
}

// Reveal gives the value itself, "" when it is not set. Call it where the value is used, and nowhere else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero says whether the secret is not set.
func (s Secret) IsZero() bool { return s.value == nil }

// String gives "[redacted]".
func (s Secret) String() string { return redacted }

// GoString gives "[redacted]", for %#v.
func (s Secret) GoString() string { return redacted }

// LogValue gives "[redacted]", for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives "[redacted]", for JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
