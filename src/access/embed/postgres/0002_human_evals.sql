-- Which eval sets somebody takes.
CREATE TABLE human_eval_assignment (
    pk          uuid        NOT NULL PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    human_pk    uuid        NOT NULL REFERENCES human (pk) ON DELETE CASCADE,
    eval_set_id text        NOT NULL,
    UNIQUE (human_pk, eval_set_id)
);

CREATE INDEX human_eval_assignment_set ON human_eval_assignment (eval_set_id);
