-- What the path of a delivery pays for in every row, without giving up what the constraints promise.

-- Keys that are only compared for being equal need no language's order.
ALTER TABLE deliveries
    ALTER COLUMN guid TYPE text COLLATE "C",
    ALTER COLUMN meaning TYPE text COLLATE "C";
ALTER TABLE reviews ALTER COLUMN head TYPE text COLLATE "C";

-- Rows come in the order of their time and are only looked for by age, so a summary of page ranges does.
DROP INDEX deliveries_received;
CREATE INDEX deliveries_received ON deliveries USING brin (received_at) WITH (pages_per_range = 32);
-- Nothing looks for deliveries by installation: their GUIDs stay when everything of an installation is deleted.
DROP INDEX deliveries_installation;

-- The pull request's key implies both: it leads to the repository, and that to the installation. Deleting an
-- installation deletes the reviews it made (store.DeleteInstallation), those of a repository that it has lost too.
ALTER TABLE reviews
    DROP CONSTRAINT reviews_installation_id_fkey,
    DROP CONSTRAINT reviews_repository_id_fkey;
