-- What scans have found, as the files of Inspect Scout have it; names and types are those of the Python hawk.
CREATE TYPE scanner_input_type AS ENUM ('transcript', 'message', 'messages', 'event', 'events');
CREATE TYPE scanner_value_type AS ENUM ('string', 'boolean', 'number', 'array', 'object', 'null');

CREATE TABLE scan (
    pk                    uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    first_imported_at     timestamptz NOT NULL DEFAULT now(),
    last_imported_at      timestamptz NOT NULL DEFAULT now(),
    meta                  jsonb NOT NULL DEFAULT '{}',
    timestamp             timestamptz NOT NULL,
    scan_id               text NOT NULL UNIQUE,
    scan_name             text,
    job_id                text,
    location              text NOT NULL,
    import_status         import_status,
    errors                text[], -- NULL when there are none
    model                 text,
    model_generate_config jsonb,
    model_args            jsonb,
    observed_model_names  text[],
    observed_model_groups text[] NOT NULL DEFAULT '{}', -- of the models that the scanners called
    confirmed_model_names text[] NOT NULL DEFAULT '{}',
    model_groups          text[] NOT NULL DEFAULT '{}',
    code_groups           text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX scan_by_job ON scan (job_id);
CREATE INDEX scan_by_time ON scan (timestamp DESC, pk DESC);

CREATE TABLE scanner_result (
    pk                      uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    first_imported_at       timestamptz NOT NULL DEFAULT now(),
    last_imported_at        timestamptz NOT NULL DEFAULT now(),
    meta                    jsonb NOT NULL DEFAULT '{}',
    scan_pk                 uuid NOT NULL REFERENCES scan ON DELETE CASCADE,
    sample_pk               uuid REFERENCES sample ON DELETE SET NULL, -- the sample whose uuid is the transcript's id
    transcript_id           text NOT NULL,
    transcript_source_type  text NOT NULL,
    transcript_source_id    text NOT NULL,
    transcript_source_uri   text,
    transcript_date         timestamptz,
    transcript_task_set     text,
    transcript_task_id      text,
    transcript_task_repeat  integer,
    scanner_key             text NOT NULL,
    scanner_name            text NOT NULL,
    scanner_version         text,
    scanner_package_version text,
    scanner_file            text,
    scanner_params          jsonb,
    input_type              scanner_input_type,
    input_ids               text[],
    uuid                    text NOT NULL UNIQUE,
    label                   text,
    value                   jsonb,
    value_type              scanner_value_type,
    value_float             double precision,
    timestamp               timestamptz NOT NULL,
    scan_tags               text[],
    scan_total_tokens       integer NOT NULL CHECK (scan_total_tokens >= 0),
    scan_model_usage        jsonb,
    answer                  text,
    explanation             text,
    scan_error              text,
    scan_error_traceback    text,
    scan_error_type         text,
    validation_target       text,
    validation_result       jsonb,
    message_references      jsonb,
    event_references        jsonb
);
CREATE INDEX scanner_result_by_scan ON scanner_result (scan_pk, scanner_key);
CREATE INDEX scanner_result_by_sample ON scanner_result (sample_pk);
CREATE INDEX scanner_result_unlinked ON scanner_result (transcript_id) WHERE sample_pk IS NULL;

CREATE TABLE scan_source_eval (
    scan_pk      uuid NOT NULL REFERENCES scan ON DELETE CASCADE,
    eval_pk      uuid REFERENCES eval ON DELETE CASCADE,
    result_count bigint NOT NULL CHECK (result_count >= 0),
    UNIQUE NULLS NOT DISTINCT (scan_pk, eval_pk)
);

-- Ours: what of the store has been imported, so that a look at it finds what has not.
CREATE TABLE scan_import (
    folder     text PRIMARY KEY, -- scans/<job>/scan_id=<scan>
    job_id     text NOT NULL,
    mark       text NOT NULL, -- of the names and versions of its files
    status     text NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
    attempts   integer NOT NULL DEFAULT 0,
    error      text,
    updated_at timestamptz NOT NULL
);
CREATE INDEX scan_import_by_job ON scan_import (job_id);
CREATE INDEX scan_import_pending ON scan_import (updated_at) WHERE status = 'pending';
