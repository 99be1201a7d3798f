-- What a call counts as when nobody ever says what it took, because its worker died: 0 once it was settled.
ALTER TABLE model_calls
    ADD COLUMN lost_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN lost_micros bigint NOT NULL DEFAULT 0;

-- Vectors of texts, so that none is paid for twice. Kept 30 days. A text's hash is SHA-256; a vector is little-endian
-- float32, of unit length.
CREATE TABLE embeddings (
    installation_id bigint NOT NULL,
    model           text NOT NULL,
    dimensions      integer NOT NULL CHECK (dimensions > 0),
    content_hash    bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    vector          bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (installation_id, model, dimensions, content_hash)
);
CREATE INDEX embeddings_created ON embeddings (created_at);
