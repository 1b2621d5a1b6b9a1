-- The logs and how their import goes: a row each, from the first notice until the log is gone.

CREATE TABLE import_queue (
    log_key       text COLLATE "C" PRIMARY KEY, -- key of the log in the store
    eval_set_id   text NOT NULL,
    model_groups  text[],                       -- as of the log's eval set; without any nobody sees the row
    size_bytes    bigint NOT NULL,
    mark          text NOT NULL,                -- of the bytes that were seen last; '' when the log is gone
    state         text NOT NULL CHECK (state IN ('pending', 'importing', 'running', 'success', 'retrying', 'failed')),
    attempts      integer NOT NULL,             -- at these bytes
    reason        text,                         -- of the last failure, in words
    reason_kind   text,
    samples_done  bigint,
    samples_total bigint,
    notices       bigint NOT NULL,              -- how often its bytes were seen to have changed
    claims        bigint NOT NULL,              -- how often it was taken
    claimed_by    text,                         -- who is importing it
    lease_until   timestamptz,                  -- and for how long the others leave it alone
    due_at        timestamptz NOT NULL,         -- not to be taken before
    turn_at       timestamptz NOT NULL,         -- of those that are due, the smallest goes first
    began_at      timestamptz,
    ended_at      timestamptz,
    first_seen_at timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);
CREATE INDEX import_queue_by_set ON import_queue (eval_set_id);
CREATE INDEX import_queue_by_age ON import_queue (first_seen_at DESC, log_key DESC);
CREATE INDEX import_queue_by_turn ON import_queue (turn_at, log_key) WHERE state IN ('pending', 'retrying');
CREATE INDEX import_queue_by_due ON import_queue (due_at) WHERE state IN ('pending', 'retrying');
CREATE INDEX import_queue_claimed ON import_queue (claimed_by) WHERE state = 'importing';

-- Rows are read through the API only, which knows the reader's groups.
ALTER TABLE import_queue ENABLE ROW LEVEL SECURITY;

INSERT INTO import_queue (log_key, eval_set_id, size_bytes, mark, state, attempts, notices, claims, due_at, turn_at,
                          first_seen_at, changed_at)
SELECT log_key, max(eval_set_id), max(file_size_bytes), '?', 'success', 0, 0, 0, now(), now(), now(), now()
FROM eval GROUP BY log_key;
