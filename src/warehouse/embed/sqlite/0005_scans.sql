-- What scans have found. See the tables of PostgreSQL for what columns mean.
CREATE TABLE scan (
    pk                    TEXT    NOT NULL PRIMARY KEY,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    first_imported_at     INTEGER NOT NULL,
    last_imported_at      INTEGER NOT NULL,
    meta                  TEXT    NOT NULL DEFAULT '{}',
    timestamp             INTEGER NOT NULL,
    scan_id               TEXT    NOT NULL UNIQUE,
    scan_name             TEXT,
    job_id                TEXT,
    location              TEXT    NOT NULL,
    import_status         TEXT,
    errors                TEXT,
    model                 TEXT,
    model_generate_config TEXT,
    model_args            TEXT,
    observed_model_names  TEXT,
    observed_model_groups TEXT    NOT NULL DEFAULT '[]',
    confirmed_model_names TEXT    NOT NULL DEFAULT '[]',
    model_groups          TEXT    NOT NULL DEFAULT '[]',
    code_groups           TEXT    NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX scan_by_job ON scan (job_id);
CREATE INDEX scan_by_time ON scan (timestamp DESC, pk DESC);

CREATE TABLE scanner_result (
    pk                      TEXT    NOT NULL PRIMARY KEY,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    first_imported_at       INTEGER NOT NULL,
    last_imported_at        INTEGER NOT NULL,
    meta                    TEXT    NOT NULL DEFAULT '{}',
    scan_pk                 TEXT    NOT NULL REFERENCES scan ON DELETE CASCADE,
    sample_pk               TEXT    REFERENCES sample ON DELETE SET NULL,
    transcript_id           TEXT    NOT NULL,
    transcript_source_type  TEXT    NOT NULL,
    transcript_source_id    TEXT    NOT NULL,
    transcript_source_uri   TEXT,
    transcript_date         INTEGER,
    transcript_task_set     TEXT,
    transcript_task_id      TEXT,
    transcript_task_repeat  INTEGER,
    scanner_key             TEXT    NOT NULL,
    scanner_name            TEXT    NOT NULL,
    scanner_version         TEXT,
    scanner_package_version TEXT,
    scanner_file            TEXT,
    scanner_params          TEXT,
    input_type              TEXT,
    input_ids               TEXT,
    uuid                    TEXT    NOT NULL UNIQUE,
    label                   TEXT,
    value                   TEXT,
    value_type              TEXT,
    value_float             REAL,
    timestamp               INTEGER NOT NULL,
    scan_tags               TEXT,
    scan_total_tokens       INTEGER NOT NULL CHECK (scan_total_tokens >= 0),
    scan_model_usage        TEXT,
    answer                  TEXT,
    explanation             TEXT,
    scan_error              TEXT,
    scan_error_traceback    TEXT,
    scan_error_type         TEXT,
    validation_target       TEXT,
    validation_result       TEXT,
    message_references      TEXT,
    event_references        TEXT
) STRICT;
CREATE INDEX scanner_result_by_scan ON scanner_result (scan_pk, scanner_key);
CREATE INDEX scanner_result_by_sample ON scanner_result (sample_pk);
CREATE INDEX scanner_result_unlinked ON scanner_result (transcript_id) WHERE sample_pk IS NULL;

CREATE TABLE scan_source_eval (
    scan_pk      TEXT    NOT NULL REFERENCES scan ON DELETE CASCADE,
    eval_pk      TEXT    REFERENCES eval ON DELETE CASCADE,
    result_count INTEGER NOT NULL CHECK (result_count >= 0)
) STRICT;
CREATE UNIQUE INDEX scan_source_eval_once ON scan_source_eval (scan_pk, coalesce(eval_pk, ''));

-- Ours: what of the store has been imported, so that a look at it finds what has not.
CREATE TABLE scan_import (
    folder     TEXT    NOT NULL PRIMARY KEY, -- scans/<job>/scan_id=<scan>
    job_id     TEXT    NOT NULL,
    mark       TEXT    NOT NULL, -- of the names and versions of its files
    status     TEXT    NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX scan_import_by_job ON scan_import (job_id);
CREATE INDEX scan_import_pending ON scan_import (updated_at) WHERE status = 'pending';
