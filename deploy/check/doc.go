// Package check reads docker-compose.yml and the Dockerfile with the libraries that Docker itself uses, so that both are
// checked where no Docker engine runs. It is a module of its own: those libraries are large and no service links them.
package check
