// Package gateway receives GitHub's deliveries and serves ReviewService.
//
// The receiver promises: nothing is parsed before its signature is verified; what is answered with 2xx is committed; a
// delivery that comes again, or says what another said, has no second effect; and every answer comes within bounded
// time and memory, whatever the client sends and however Postgres is. It calls nobody but Postgres.
//
// The order of the checks is: method, path, form of the signature, declared length, body (bounded, under a deadline),
// signature, headers, room, content type, payload, and one transaction that holds the delivery's row, what follows from
// it and the job.
package gateway
