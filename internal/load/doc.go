// Package load sends deliveries to a gateway as fast, or at the rate, that it is told, from a process of its own, and
// checks afterwards that what was acknowledged is in the database. It also sets the gateway beside other ways to take
// deliveries in one run, and breaks it while it sends: kill -9 at its crash points and of Postgres, a Postgres that
// hangs, malformed and forged requests.
//
// What it measures it measures honestly: at a given rate, latency counts from the moment when a delivery was to be
// sent, not from when a busy sender came to it; figures of variants come from one run, round after round; processor
// time is counted for the gateway, Postgres (with its processes that have ended) and the sender apart.
package load
