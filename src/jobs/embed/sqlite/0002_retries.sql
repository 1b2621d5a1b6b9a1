-- Attempts since the last submit that were begun because a runner was lost.
ALTER TABLE job ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
