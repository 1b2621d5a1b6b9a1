-- The logs and how their import goes: a row each, from the first notice until the log is gone. Instants are
-- microseconds UTC.

CREATE TABLE import_queue (
    log_key       TEXT PRIMARY KEY, -- key of the log in the store
    eval_set_id   TEXT NOT NULL,
    model_groups  TEXT,             -- array, as of the log's eval set; without any nobody sees the row
    size_bytes    INTEGER NOT NULL,
    mark          TEXT NOT NULL,    -- of the bytes that were seen last; '' when the log is gone
    state         TEXT NOT NULL CHECK (state IN ('pending', 'importing', 'running', 'success', 'retrying', 'failed')),
    attempts      INTEGER NOT NULL, -- at these bytes
    reason        TEXT,             -- of the last failure, in words
    reason_kind   TEXT,
    samples_done  INTEGER,
    samples_total INTEGER,
    notices       INTEGER NOT NULL, -- how often its bytes were seen to have changed
    claims        INTEGER NOT NULL, -- how often it was taken
    claimed_by    TEXT,             -- who is importing it
    lease_until   INTEGER,          -- and for how long the others leave it alone
    due_at        INTEGER NOT NULL, -- not to be taken before
    turn_at       INTEGER NOT NULL, -- of those that are due, the smallest goes first
    began_at      INTEGER,
    ended_at      INTEGER,
    first_seen_at INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX import_queue_by_set ON import_queue (eval_set_id);
CREATE INDEX import_queue_by_age ON import_queue (first_seen_at DESC, log_key DESC);
CREATE INDEX import_queue_by_turn ON import_queue (turn_at, log_key) WHERE state IN ('pending', 'retrying');
CREATE INDEX import_queue_by_due ON import_queue (due_at) WHERE state IN ('pending', 'retrying');
CREATE INDEX import_queue_claimed ON import_queue (claimed_by) WHERE state = 'importing';

INSERT INTO import_queue (log_key, eval_set_id, size_bytes, mark, state, attempts, notices, claims, due_at, turn_at,
                          first_seen_at, changed_at)
SELECT log_key, max(eval_set_id), max(file_size_bytes), '?', 'success', 0, 0, 0, 0, 0,
       CAST(strftime('%s', 'now') AS INTEGER) * 1000000, CAST(strftime('%s', 'now') AS INTEGER) * 1000000
FROM eval GROUP BY log_key;
