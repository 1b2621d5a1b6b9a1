-- Edits of samples: a row for each log of a request. The edits themselves are the object in the store.
CREATE TABLE sample_edit (
    pk           INTEGER PRIMARY KEY AUTOINCREMENT, -- requests for one log are applied in this order
    request_uuid TEXT    NOT NULL,
    log_key      TEXT    NOT NULL,
    eval_set_id  TEXT    NOT NULL,
    object_key   TEXT    NOT NULL,
    n_edits      INTEGER NOT NULL CHECK (n_edits >= 1),
    author       TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'applying', 'done', 'failed')),
    reason       TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    retry_at     INTEGER NOT NULL,
    UNIQUE (request_uuid, log_key)
) STRICT;

CREATE INDEX sample_edit_open ON sample_edit (log_key, pk) WHERE state IN ('pending', 'applying');
