-- Where a pull request's head was before the second that its row remembers: what leads from there is the older part.
ALTER TABLE pull_requests ADD COLUMN tied_base text NOT NULL DEFAULT '';

-- The live reviews of a pull request are few among its reviews, which reviews' unique key leads to. Without this index
-- no index has a column in it that a running review changes, and such changes stay on the row's own page.
DROP INDEX reviews_live;
ALTER TABLE reviews SET (fillfactor = 80);
ALTER TABLE pull_requests SET (fillfactor = 80);
