// Package intake decides what follows from a webhook delivery, from its bytes alone.
//
// It promises the same decision for the same bytes, always with a named reason, and never a panic or a large
// allocation, whatever the bytes are. It decides only what no configuration can change; drafts, labels, base branches
// and paths are the worker's, because `.openrabbit.yaml` speaks of them. Payloads are read once, strictly: what is not
// JSON, names a key twice, nests deeper or writes longer numbers than GitHub ever would, or has another type where we
// read, is malformed. A field that is absent or null is not: the delivery is ignored, with a reason.
package intake
