// Package e2e composes the whole mesh in one test: the real services over real gRPC and a real Postgres, with the
// stand-ins for GitHub and for a model at the outside.
package e2e
