-- Which eval sets somebody takes.
CREATE TABLE human_eval_assignment (
    pk          TEXT    NOT NULL PRIMARY KEY,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    human_pk    TEXT    NOT NULL REFERENCES human (pk) ON DELETE CASCADE,
    eval_set_id TEXT    NOT NULL,
    UNIQUE (human_pk, eval_set_id)
) STRICT;

CREATE INDEX human_eval_assignment_set ON human_eval_assignment (eval_set_id);
