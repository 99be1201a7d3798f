// Package pbconv converts between the domain's types and the messages on the wire, in both directions.
//
// It promises that what is converted there and back is the same (a list that is empty comes back nil), that a value the
// other side may know and we don't becomes the zero value, which means "not said", and that text which is not UTF-8 is
// mended with U+FFFD, because a message could not carry it. It has no rules of its own: no limits, no defaults.
package pbconv
