-- The state of OpenRabbit. River's own tables are made by its migrator beside these.
-- Times are timestamptz, money is in millionths of a US dollar, a SHA is 40 hexadecimal digits.

-- One row: secrets that this database makes for itself.
CREATE TABLE settings (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    marker_secret bytea NOT NULL CHECK (octet_length(marker_secret) = 32),
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE installations (
    id           bigint PRIMARY KEY,
    account      text NOT NULL DEFAULT '',
    suspended_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- id is GitHub's: it survives a rename, the name does not.
CREATE TABLE repositories (
    id              bigint PRIMARY KEY,
    installation_id bigint NOT NULL REFERENCES installations ON DELETE CASCADE,
    full_name       text NOT NULL,
    default_branch  text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- When a delivery last named it differently: of two rows with one name the later is meant.
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX repositories_installation ON repositories (installation_id);
CREATE INDEX repositories_name ON repositories (lower(full_name));

-- What the newest delivery said of a pull request. The row is the lock that orders deliveries of one pull request.
CREATE TABLE pull_requests (
    repository_id          bigint NOT NULL REFERENCES repositories ON DELETE CASCADE,
    number                 integer NOT NULL CHECK (number > 0),
    latest_head            text NOT NULL DEFAULT '',
    open                   boolean NOT NULL DEFAULT true,
    -- pull_request.updated_at of the delivery that set latest_head; GitHub counts in seconds.
    event_at               timestamptz NOT NULL DEFAULT '-infinity',
    -- The heads that deliveries of that same second named, and those they moved away from: they order a tie.
    tied_heads             text[] NOT NULL DEFAULT '{}',
    tied_befores           text[] NOT NULL DEFAULT '{}',
    walkthrough_comment_id bigint,
    last_reviewed_head     text NOT NULL DEFAULT '',
    PRIMARY KEY (repository_id, number)
);

-- One webhook request each. Columns, no body. Kept 8 days: GitHub redelivers for 3.
CREATE TABLE deliveries (
    guid            text PRIMARY KEY,
    -- What the delivery means, without its GUID; NULL when nothing follows from it.
    meaning         text UNIQUE,
    event           text NOT NULL,
    action          text NOT NULL DEFAULT '',
    installation_id bigint,
    repository_id   bigint,
    number          integer,
    head            text NOT NULL DEFAULT '',
    decision        text NOT NULL,
    reason          text NOT NULL DEFAULT '',
    review_id       uuid,
    job_id          bigint,
    received_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deliveries_received ON deliveries (received_at);
CREATE INDEX deliveries_installation ON deliveries (installation_id);

-- Correctly signed bodies that could not be decoded. Kept 24 hours.
CREATE TABLE quarantine (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guid        text NOT NULL,
    event       text NOT NULL,
    problem     text NOT NULL,
    body        bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_received ON quarantine (received_at);

-- One review of one revision. A forced re-review is a new generation.
CREATE TABLE reviews (
    id              uuid PRIMARY KEY,
    installation_id bigint NOT NULL REFERENCES installations ON DELETE CASCADE,
    repository_id   bigint NOT NULL REFERENCES repositories ON DELETE CASCADE,
    number          integer NOT NULL CHECK (number > 0),
    head            text NOT NULL,
    generation      integer NOT NULL CHECK (generation > 0),
    -- Asked for although the head was reviewed already.
    forced          boolean NOT NULL DEFAULT false,
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN
        ('queued', 'running', 'clean', 'findings', 'partial', 'skipped', 'superseded', 'cancelled', 'failed')),
    stage           text NOT NULL DEFAULT '',
    reason          text NOT NULL DEFAULT '',
    merge_base      text NOT NULL DEFAULT '',
    check_run_id    bigint,
    -- When the check run of a superseded or cancelled review was closed on GitHub.
    check_run_closed_at timestamptz,
    job_id          bigint,
    -- The engine's result, stored before anything is posted, so that a retry posts the same. Plain json: jsonb refuses
    -- the \u0000 that a model or a diff may hold.
    result          json,
    input_tokens    bigint NOT NULL DEFAULT 0,
    output_tokens   bigint NOT NULL DEFAULT 0,
    cost_micros     bigint NOT NULL DEFAULT 0,
    calls           integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    ended_at        timestamptz,
    FOREIGN KEY (repository_id, number) REFERENCES pull_requests ON DELETE CASCADE,
    UNIQUE (repository_id, number, head, generation)
);
CREATE INDEX reviews_installation ON reviews (installation_id);
CREATE INDEX reviews_newest ON reviews (created_at DESC, id DESC);
CREATE INDEX reviews_live ON reviews (repository_id, number) WHERE state IN ('queued', 'running');

-- How far the posting of a review came. The row exists before the first write to GitHub.
CREATE TABLE postings (
    review_id        uuid PRIMARY KEY REFERENCES reviews ON DELETE CASCADE,
    stage            text NOT NULL CHECK (stage IN ('intent', 'drafted', 'submitted', 'done')),
    -- GitHub's id of our review, once it is known.
    github_review_id bigint,
    -- The last attempt that may have reached GitHub: the settle time counts from here.
    attempted_at     timestamptz NOT NULL DEFAULT now(),
    attempts         integer NOT NULL DEFAULT 0
);

CREATE TABLE findings (
    review_id     uuid NOT NULL REFERENCES reviews ON DELETE CASCADE,
    ordinal       integer NOT NULL,
    repository_id bigint NOT NULL,
    number        integer NOT NULL,
    fingerprint   text NOT NULL,
    path          text NOT NULL,
    side          text NOT NULL DEFAULT '',
    start_line    integer NOT NULL DEFAULT 0,
    end_line      integer NOT NULL DEFAULT 0,
    severity      text NOT NULL,
    category      text NOT NULL,
    title         text NOT NULL,
    body          text NOT NULL,
    suggestion    text,
    confidence    double precision NOT NULL DEFAULT 0,
    scope         text NOT NULL DEFAULT '',
    source        text NOT NULL DEFAULT '',
    rule          text NOT NULL DEFAULT '',
    quote         text NOT NULL DEFAULT '',
    -- Where it was shown: 'comment', 'walkthrough' or 'nowhere' (a repeat).
    shown         text NOT NULL DEFAULT 'nowhere' CHECK (shown IN ('comment', 'walkthrough', 'nowhere')),
    PRIMARY KEY (review_id, ordinal)
);
CREATE INDEX findings_pull_request ON findings (repository_id, number, fingerprint);

-- A model's answers, by what was asked. A row without an answer is a reservation, or a call that gave nothing to keep.
CREATE TABLE model_calls (
    installation_id bigint NOT NULL,
    request_hash    text NOT NULL,
    review_id       uuid,
    repository_id   bigint,
    purpose         text NOT NULL,
    model           text NOT NULL DEFAULT '',
    answer          json,
    -- What was spent, by every attempt together.
    input_tokens    bigint NOT NULL DEFAULT 0,
    output_tokens   bigint NOT NULL DEFAULT 0,
    cost_micros     bigint NOT NULL DEFAULT 0,
    -- What is held back for a call under way; 0 when none is.
    reserved_tokens bigint NOT NULL DEFAULT 0,
    reserved_micros bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    settled_at      timestamptz,
    PRIMARY KEY (installation_id, request_hash)
);
CREATE INDEX model_calls_review ON model_calls (review_id);
CREATE INDEX model_calls_created ON model_calls (created_at);
CREATE INDEX model_calls_spent ON model_calls (installation_id, created_at);

-- Until when an installation must not write to, or not call, GitHub.
CREATE TABLE rate_limits (
    installation_id bigint NOT NULL,
    resource        text NOT NULL CHECK (resource IN ('core', 'content')),
    blocked_until   timestamptz NOT NULL,
    PRIMARY KEY (installation_id, resource)
);

-- What is indexed of a repository, whichever store holds the vectors. version grows with each change of the embedded
-- store's rows, so that a worker knows when its copy in memory is old.
CREATE TABLE indexes (
    repository_id   bigint PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
    installation_id bigint NOT NULL,
    -- The commit of the last whole pass, empty before the first.
    head            text NOT NULL DEFAULT '',
    model           text NOT NULL DEFAULT '',
    files           integer NOT NULL DEFAULT 0,
    version         bigint NOT NULL DEFAULT 0,
    finished_at     timestamptz
);

-- Vectors in plain Postgres, little-endian float32, of unit length.
CREATE TABLE chunks (
    repository_id bigint NOT NULL REFERENCES repositories ON DELETE CASCADE,
    id            text NOT NULL,
    path          text NOT NULL,
    content_hash  text NOT NULL,
    start_line    integer NOT NULL,
    end_line      integer NOT NULL,
    header        text NOT NULL,
    body          text NOT NULL,
    vector        bytea NOT NULL,
    PRIMARY KEY (repository_id, id)
);
CREATE INDEX chunks_path ON chunks (repository_id, path);
