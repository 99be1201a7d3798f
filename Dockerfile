# syntax=docker/dockerfile:1
# One target a service. Only parsersvc is built with cgo (tree-sitter's grammars are C); it is linked statically, so
# every image is the same small base without a shell, and runs as a user that is not root.
ARG GO_VERSION=1.26

FROM golang:${GO_VERSION}-bookworm AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .

FROM source AS build-static
ENV CGO_ENABLED=0
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags="-s -w" -o /out/ ./cmd/gateway ./cmd/orchestrator ./cmd/llmsvc ./cmd/openrabbit

FROM source AS build-parser
ENV CGO_ENABLED=1
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -tags netgo,osusergo -ldflags="-s -w -linkmode external -extldflags -static" -o /out/ ./cmd/parsersvc

FROM gcr.io/distroless/static-debian12:nonroot AS base
USER 65532:65532

FROM base AS gateway
COPY --from=build-static /out/gateway /usr/local/bin/gateway
EXPOSE 8080 8090
ENTRYPOINT ["/usr/local/bin/gateway"]

FROM base AS orchestrator
COPY --from=build-static /out/orchestrator /usr/local/bin/orchestrator
ENTRYPOINT ["/usr/local/bin/orchestrator"]

FROM base AS parsersvc
COPY --from=build-parser /out/parsersvc /usr/local/bin/parsersvc
EXPOSE 50051
ENTRYPOINT ["/usr/local/bin/parsersvc"]

FROM base AS llmsvc
COPY --from=build-static /out/llmsvc /usr/local/bin/llmsvc
EXPOSE 50052
ENTRYPOINT ["/usr/local/bin/llmsvc"]

# migrate and River UI, from the one static binary without cgo.
FROM base AS openrabbit
COPY --from=build-static /out/openrabbit /usr/local/bin/openrabbit
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/openrabbit"]
