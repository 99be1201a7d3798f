-- What an installation has created on GitHub within the last hour, one row a request. GitHub allows 80 new things a
-- minute and 500 an hour; each request is written down here before it is sent, by whichever worker sends it.
CREATE TABLE content_requests (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    installation_id bigint NOT NULL,
    -- 1 and the comments that a review carries.
    units           integer NOT NULL CHECK (units >= 0),
    at              timestamptz NOT NULL
);
CREATE INDEX content_requests_window ON content_requests (installation_id, at);

-- How often in a row GitHub limited an installation without saying for how long: each time we wait twice as long.
ALTER TABLE rate_limits ADD COLUMN strikes integer NOT NULL DEFAULT 0;
-- There is one limit for all calls of an installation.
DELETE FROM rate_limits WHERE resource <> 'core';

ALTER TABLE postings
    -- What refused requests taught about single comments, so that an attempt after a pause does not learn it again.
    ADD COLUMN tried     json,
    -- When GitHub is to be looked at once more for a second review of ours; NULL when it was, or nothing was posted.
    ADD COLUMN verify_at timestamptz;
CREATE INDEX postings_verify ON postings (verify_at) WHERE verify_at IS NOT NULL;

-- The conversation that hangs on one comment of a review.
CREATE TABLE threads (
    repository_id bigint NOT NULL REFERENCES repositories ON DELETE CASCADE,
    -- GitHub's id of our comment, which began the thread.
    comment_id    bigint NOT NULL,
    number        integer NOT NULL,
    -- The review that made the comment.
    review_id     uuid NOT NULL REFERENCES reviews ON DELETE CASCADE,
    fingerprint   text NOT NULL,
    -- GitHub's GraphQL id of the thread, empty until it was needed.
    node_id       text NOT NULL DEFAULT '',
    -- open; answering: the intent to reply is written; answered; resolved: by us; left: a person is in it.
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answering', 'answered', 'resolved', 'left')),
    -- The revision in which the finding was seen to be fixed, and when the reply to say so was last tried.
    fixed_in      text NOT NULL DEFAULT '',
    attempted_at  timestamptz,
    PRIMARY KEY (repository_id, comment_id)
);
CREATE INDEX threads_pull_request ON threads (repository_id, number, fingerprint);
CREATE INDEX threads_review ON threads (review_id);
