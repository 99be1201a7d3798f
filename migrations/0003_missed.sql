-- What GitHub sent and we never got, and the pull requests that it never told us of.

-- How far an App's list of deliveries has been read. What is written of a scan under way is where it goes on.
CREATE TABLE delivery_scans (
    app_id      bigint PRIMARY KEY,
    -- The beginning of the last scan that came to its end: what was sent before has been looked at.
    complete_at timestamptz,
    -- The scan under way: when it began, how far back it goes, GitHub's cursor of its next page. NULL: there is none.
    began_at    timestamptz,
    back_to     timestamptz,
    cursor      text NOT NULL DEFAULT '',
    pages       integer NOT NULL DEFAULT 0
);

-- Deliveries of GitHub's list that were not in ours when it was read. A row goes when its delivery has come.
CREATE TABLE missed_deliveries (
    guid         text PRIMARY KEY,
    app_id       bigint NOT NULL,
    -- GitHub's id of a sending of it, by which it is asked for again, and when it was last sent.
    sending_id   bigint NOT NULL,
    sent_at      timestamptz NOT NULL,
    -- How often and when last it was asked for: written before the request, so that a crash between the two asks too
    -- late and never twice.
    requests     integer NOT NULL DEFAULT 0,
    requested_at timestamptz,
    -- From when on it may be asked for. NULL: not any more.
    due_at       timestamptz
);
CREATE INDEX missed_deliveries_due ON missed_deliveries (app_id, due_at);

-- Whether a delivery was quarantined is asked by its GUID.
CREATE INDEX quarantine_guid ON quarantine (guid);

-- The sweep of an installation's open pull requests.
CREATE TABLE sweeps (
    installation_id bigint PRIMARY KEY REFERENCES installations ON DELETE CASCADE,
    complete_at     timestamptz,
    -- The sweep under way: when it began, and since when a pull request must have been updated. NULL: there is none.
    began_at        timestamptz,
    since           timestamptz,
    -- Whether the repositories that are still to be looked at have been written down.
    listed          boolean NOT NULL DEFAULT false
);

CREATE TABLE sweep_repositories (
    installation_id bigint NOT NULL REFERENCES sweeps ON DELETE CASCADE,
    repository_id   bigint NOT NULL,
    full_name       text NOT NULL,
    default_branch  text NOT NULL,
    PRIMARY KEY (installation_id, repository_id)
);
