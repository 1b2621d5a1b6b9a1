-- Edits of samples: a row for each log of a request. The edits themselves are the object in the store.
CREATE TABLE sample_edit (
    pk           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- requests for one log are applied in this order
    request_uuid text        NOT NULL,
    log_key      text        NOT NULL,
    eval_set_id  text        NOT NULL,
    object_key   text        NOT NULL,
    n_edits      bigint      NOT NULL CHECK (n_edits >= 1),
    author       text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('pending', 'applying', 'done', 'failed')),
    reason       text,
    attempts     bigint      NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    retry_at     timestamptz NOT NULL,
    UNIQUE (request_uuid, log_key)
);

CREATE INDEX sample_edit_open ON sample_edit (log_key, pk) WHERE state IN ('pending', 'applying');
