-- What lists are made from: narrow rows with everything that samples are sorted and filtered by, kept right by triggers.
-- A list is answered from the indices here; sample, score and eval are read for the rows of the page alone.
--
-- Two indices for each column: over all samples, for a list that takes most of them, and within an eval, because what a
-- list is narrowed to is nearly always a choice of evals, and evals differ in just the columns that people sort by.
CREATE TABLE listing_status (
    no   INTEGER PRIMARY KEY, -- in the order of lists: first what went well, last what failed
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO listing_status (no, name) VALUES
    (0, 'success'), (1, 'provisional'), (2, 'context_limit'), (3, 'cost_limit'), (4, 'custom_limit'), (5, 'message_limit'),
    (6, 'operator_limit'), (7, 'time_limit'), (8, 'token_limit'), (9, 'working_limit'), (10, 'error');

CREATE TABLE listing_eval (
    no           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: the search index has it in its keys
    eval_pk      TEXT NOT NULL UNIQUE REFERENCES eval (pk) ON DELETE CASCADE,
    eval_set_id  TEXT NOT NULL,
    id           TEXT NOT NULL,
    task_name    TEXT NOT NULL,
    task_version TEXT,
    model        TEXT NOT NULL,
    created_by   TEXT,
    location     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    model_groups TEXT NOT NULL
) STRICT;
CREATE INDEX listing_eval_by_set ON listing_eval (eval_set_id);
CREATE INDEX listing_eval_by_groups ON listing_eval (model_groups);

CREATE TABLE listing_sample (
    no                      INTEGER PRIMARY KEY,
    sample_pk               TEXT NOT NULL UNIQUE REFERENCES sample (pk) ON DELETE CASCADE,
    eval_no                 INTEGER NOT NULL,
    status                  INTEGER NOT NULL,
    id                      TEXT NOT NULL, -- the beginning of it, as of the other texts
    uuid                    TEXT NOT NULL,
    epoch                   INTEGER NOT NULL,
    started_at              INTEGER,
    completed_at            INTEGER,
    input_tokens            INTEGER,
    output_tokens           INTEGER,
    reasoning_tokens        INTEGER,
    total_tokens            INTEGER,
    action_count            INTEGER,
    message_count           INTEGER,
    working_time_seconds    REAL,
    total_time_seconds      REAL,
    generation_time_seconds REAL,
    is_invalid              INTEGER NOT NULL,
    error_message           TEXT
) STRICT;

-- Words of searches are looked for anywhere in the ids of samples; the texts themselves are in listing_sample.
CREATE VIRTUAL TABLE listing_text USING fts5(id, content='listing_sample', content_rowid='no', tokenize='trigram',
                                             detail='none');

-- Final scores of samples that are over: a row for each scorer, with the key '=' and its name, and one with the key '' for
-- "the" score of a sample that has a single one. The score is a number, which may be infinite, or else the beginning of
-- its JSON.
CREATE TABLE listing_score (
    no      INTEGER NOT NULL REFERENCES listing_sample (no) ON DELETE CASCADE,
    "key"   TEXT NOT NULL,
    eval_no INTEGER NOT NULL,
    status  INTEGER NOT NULL,
    scorer  TEXT NOT NULL,
    value   REAL,
    rest    TEXT,
    PRIMARY KEY (no, "key")
) STRICT, WITHOUT ROWID;

CREATE VIEW listing_score_source AS
SELECT l.no, '=' || c.scorer AS "key", l.eval_no, l.status, c.scorer,
       CASE c.value_nonfinite WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 WHEN 'nan' THEN NULL
       ELSE c.value_float END AS value,
       CASE WHEN c.value_nonfinite = 'nan' OR (c.value_nonfinite IS NULL AND c.value_float IS NULL)
       THEN substr(c.value, 1, 100) END AS rest,
       c.sample_pk
FROM score c JOIN listing_sample l ON l.sample_pk = c.sample_pk
WHERE NOT c.is_intermediate AND l.status <> 1 -- provisional
UNION ALL
SELECT l.no, '', l.eval_no, l.status, c.scorer,
       CASE c.value_nonfinite WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 WHEN 'nan' THEN NULL
       ELSE c.value_float END,
       CASE WHEN c.value_nonfinite = 'nan' OR (c.value_nonfinite IS NULL AND c.value_float IS NULL)
       THEN substr(c.value, 1, 100) END,
       c.sample_pk
FROM score c JOIN listing_sample l ON l.sample_pk = c.sample_pk
WHERE NOT c.is_intermediate AND l.status <> 1 -- provisional
      AND NOT EXISTS (SELECT 1 FROM score o WHERE o.sample_pk = c.sample_pk AND NOT o.is_intermediate AND o.pk <> c.pk);


-- What is there already.
INSERT INTO listing_eval (eval_pk, eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups)
SELECT pk, eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups FROM eval ORDER BY created_at, pk;
INSERT INTO listing_sample (
        sample_pk, eval_no, status, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens,
        reasoning_tokens, total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
        generation_time_seconds, is_invalid, error_message)
SELECT
        s.pk, v.no, t.no, substr(s.id, 1, 500), substr(s.uuid, 1, 500), s.epoch, s.started_at, s.completed_at,
        s.input_tokens, s.output_tokens, s.reasoning_tokens, s.total_tokens, s.action_count, s.message_count,
        s.working_time_seconds, s.total_time_seconds, s.generation_time_seconds, s.is_invalid,
        substr(s.error_message, 1, 200)
FROM sample s JOIN listing_eval v ON v.eval_pk = s.eval_pk
     JOIN listing_status t ON t.name = CASE WHEN s.is_provisional THEN 'provisional' ELSE s.status END
ORDER BY v.no, s.pk;
INSERT INTO listing_score SELECT no, "key", eval_no, status, scorer, value, rest FROM listing_score_source;
INSERT INTO listing_text (listing_text) VALUES ('rebuild');

CREATE INDEX listing_sample_by_id ON listing_sample (id, no, eval_no, status);
CREATE INDEX listing_sample_by_uuid ON listing_sample (uuid, no, eval_no, status);
CREATE INDEX listing_sample_by_epoch ON listing_sample (epoch, no, eval_no, status);
CREATE INDEX listing_sample_by_started_at ON listing_sample (started_at, no, eval_no, status);
CREATE INDEX listing_sample_by_completed_at ON listing_sample (completed_at, no, eval_no, status);
CREATE INDEX listing_sample_by_input_tokens ON listing_sample (input_tokens, no, eval_no, status);
CREATE INDEX listing_sample_by_output_tokens ON listing_sample (output_tokens, no, eval_no, status);
CREATE INDEX listing_sample_by_reasoning_tokens ON listing_sample (reasoning_tokens, no, eval_no, status);
CREATE INDEX listing_sample_by_total_tokens ON listing_sample (total_tokens, no, eval_no, status);
CREATE INDEX listing_sample_by_action_count ON listing_sample (action_count, no, eval_no, status);
CREATE INDEX listing_sample_by_message_count ON listing_sample (message_count, no, eval_no, status);
CREATE INDEX listing_sample_by_working_time_seconds ON listing_sample (working_time_seconds, no, eval_no, status);
CREATE INDEX listing_sample_by_total_time_seconds ON listing_sample (total_time_seconds, no, eval_no, status);
CREATE INDEX listing_sample_by_generation_time_seconds ON listing_sample (generation_time_seconds, no, eval_no, status);
CREATE INDEX listing_sample_by_is_invalid ON listing_sample (is_invalid, no, eval_no, status);
CREATE INDEX listing_sample_by_error_message ON listing_sample (error_message, no, eval_no, status);
CREATE INDEX listing_sample_by_status ON listing_sample (status, no, eval_no);
CREATE INDEX listing_sample_of_eval_by_id ON listing_sample (eval_no, id, no, status);
CREATE INDEX listing_sample_of_eval_by_uuid ON listing_sample (eval_no, uuid, no, status);
CREATE INDEX listing_sample_of_eval_by_epoch ON listing_sample (eval_no, epoch, no, status);
CREATE INDEX listing_sample_of_eval_by_started_at ON listing_sample (eval_no, started_at, no, status);
CREATE INDEX listing_sample_of_eval_by_completed_at ON listing_sample (eval_no, completed_at, no, status);
CREATE INDEX listing_sample_of_eval_by_input_tokens ON listing_sample (eval_no, input_tokens, no, status);
CREATE INDEX listing_sample_of_eval_by_output_tokens ON listing_sample (eval_no, output_tokens, no, status);
CREATE INDEX listing_sample_of_eval_by_reasoning_tokens ON listing_sample (eval_no, reasoning_tokens, no, status);
CREATE INDEX listing_sample_of_eval_by_total_tokens ON listing_sample (eval_no, total_tokens, no, status);
CREATE INDEX listing_sample_of_eval_by_action_count ON listing_sample (eval_no, action_count, no, status);
CREATE INDEX listing_sample_of_eval_by_message_count ON listing_sample (eval_no, message_count, no, status);
CREATE INDEX listing_sample_of_eval_by_working_time_seconds ON listing_sample (eval_no, working_time_seconds, no, status);
CREATE INDEX listing_sample_of_eval_by_total_time_seconds ON listing_sample (eval_no, total_time_seconds, no, status);
CREATE INDEX listing_sample_of_eval_by_generation_time_seconds ON listing_sample (eval_no, generation_time_seconds, no, status);
CREATE INDEX listing_sample_of_eval_by_is_invalid ON listing_sample (eval_no, is_invalid, no, status);
CREATE INDEX listing_sample_of_eval_by_error_message ON listing_sample (eval_no, error_message, no, status);
CREATE INDEX listing_sample_of_eval_by_status ON listing_sample (eval_no, status, no);
CREATE INDEX listing_sample_of_eval ON listing_sample (eval_no, no, status);
CREATE INDEX listing_score_by_value ON listing_score ("key", value, no, eval_no, status);
CREATE INDEX listing_score_by_rest ON listing_score ("key", rest, no, eval_no, status);
CREATE INDEX listing_score_by_scorer ON listing_score ("key", scorer, no, eval_no, status);
CREATE INDEX listing_score_of_eval_by_value ON listing_score (eval_no, "key", value, no, status);
CREATE INDEX listing_score_of_eval_by_rest ON listing_score (eval_no, "key", rest, no, status);
CREATE INDEX listing_score_of_eval_by_scorer ON listing_score (eval_no, "key", scorer, no, status);
CREATE INDEX listing_score_of_status ON listing_score (status, "key", value, no);

CREATE TRIGGER listing_eval_insert AFTER INSERT ON eval BEGIN
    INSERT INTO listing_eval (eval_pk, eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups)
    VALUES (NEW.pk, NEW.eval_set_id, NEW.id, NEW.task_name, NEW.task_version, NEW.model, NEW.created_by, NEW.location, NEW.created_at, NEW.model_groups);
END;
CREATE TRIGGER listing_eval_update AFTER UPDATE OF eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups ON eval BEGIN
    UPDATE listing_eval
    SET (eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups) =
        (NEW.eval_set_id, NEW.id, NEW.task_name, NEW.task_version, NEW.model, NEW.created_by, NEW.location, NEW.created_at, NEW.model_groups)
    WHERE eval_pk = NEW.pk
          AND (eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups) IS NOT
              (NEW.eval_set_id, NEW.id, NEW.task_name, NEW.task_version, NEW.model, NEW.created_by, NEW.location, NEW.created_at, NEW.model_groups);
END;

CREATE TRIGGER listing_sample_insert AFTER INSERT ON sample BEGIN
    INSERT INTO listing_sample (
        sample_pk, eval_no, status, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens,
        reasoning_tokens, total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
        generation_time_seconds, is_invalid, error_message)
    VALUES (
        NEW.pk, (SELECT no FROM listing_eval WHERE eval_pk = NEW.eval_pk),
        (SELECT no FROM listing_status WHERE name = CASE WHEN NEW.is_provisional THEN 'provisional' ELSE NEW.status END),
        substr(NEW.id, 1, 500), substr(NEW.uuid, 1, 500), NEW.epoch, NEW.started_at, NEW.completed_at, NEW.input_tokens, NEW.output_tokens, NEW.reasoning_tokens,
        NEW.total_tokens, NEW.action_count, NEW.message_count, NEW.working_time_seconds, NEW.total_time_seconds,
        NEW.generation_time_seconds, NEW.is_invalid, substr(NEW.error_message, 1, 200));
    INSERT INTO listing_score SELECT no, "key", eval_no, status, scorer, value, rest FROM listing_score_source
    WHERE sample_pk = NEW.pk;
END;
CREATE TRIGGER listing_sample_update AFTER UPDATE OF
        eval_pk, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens, reasoning_tokens,
        total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
        generation_time_seconds, error_message, "limit", invalidation_timestamp, invalidation_author,
        invalidation_reason, is_provisional
ON sample BEGIN
    UPDATE listing_sample
    SET (
        eval_no, status, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens, reasoning_tokens,
        total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
        generation_time_seconds, is_invalid, error_message) = (
        (SELECT no FROM listing_eval WHERE eval_pk = NEW.eval_pk),
        (SELECT no FROM listing_status WHERE name = CASE WHEN NEW.is_provisional THEN 'provisional' ELSE NEW.status END),
        substr(NEW.id, 1, 500), substr(NEW.uuid, 1, 500), NEW.epoch, NEW.started_at, NEW.completed_at, NEW.input_tokens, NEW.output_tokens, NEW.reasoning_tokens,
        NEW.total_tokens, NEW.action_count, NEW.message_count, NEW.working_time_seconds, NEW.total_time_seconds,
        NEW.generation_time_seconds, NEW.is_invalid, substr(NEW.error_message, 1, 200))
    WHERE sample_pk = NEW.pk AND (
        eval_no, status, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens, reasoning_tokens,
        total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
        generation_time_seconds, is_invalid, error_message) IS NOT (
        (SELECT no FROM listing_eval WHERE eval_pk = NEW.eval_pk),
        (SELECT no FROM listing_status WHERE name = CASE WHEN NEW.is_provisional THEN 'provisional' ELSE NEW.status END),
        substr(NEW.id, 1, 500), substr(NEW.uuid, 1, 500), NEW.epoch, NEW.started_at, NEW.completed_at, NEW.input_tokens, NEW.output_tokens, NEW.reasoning_tokens,
        NEW.total_tokens, NEW.action_count, NEW.message_count, NEW.working_time_seconds, NEW.total_time_seconds,
        NEW.generation_time_seconds, NEW.is_invalid, substr(NEW.error_message, 1, 200));
END;
CREATE TRIGGER listing_sample_moved AFTER UPDATE OF eval_no, status ON listing_sample
WHEN (OLD.eval_no, OLD.status) IS NOT (NEW.eval_no, NEW.status) BEGIN
    DELETE FROM listing_score WHERE no = NEW.no;
    INSERT INTO listing_score SELECT no, "key", eval_no, status, scorer, value, rest FROM listing_score_source
    WHERE sample_pk = NEW.sample_pk;
END;

CREATE TRIGGER listing_text_insert AFTER INSERT ON listing_sample BEGIN
    INSERT INTO listing_text (rowid, id) VALUES (NEW.no, NEW.id);
END;
CREATE TRIGGER listing_text_update AFTER UPDATE OF id ON listing_sample WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO listing_text (listing_text, rowid, id) VALUES ('delete', OLD.no, OLD.id);
    INSERT INTO listing_text (rowid, id) VALUES (NEW.no, NEW.id);
END;
CREATE TRIGGER listing_text_delete AFTER DELETE ON listing_sample BEGIN
    INSERT INTO listing_text (listing_text, rowid, id) VALUES ('delete', OLD.no, OLD.id);
END;

CREATE TRIGGER listing_score_insert AFTER INSERT ON score BEGIN
    DELETE FROM listing_score WHERE no = (SELECT no FROM listing_sample WHERE sample_pk = NEW.sample_pk);
    INSERT INTO listing_score SELECT no, "key", eval_no, status, scorer, value, rest FROM listing_score_source
    WHERE sample_pk = NEW.sample_pk;
END;
CREATE TRIGGER listing_score_update AFTER UPDATE OF value, value_float, value_nonfinite, scorer, is_intermediate ON score BEGIN
    DELETE FROM listing_score WHERE no = (SELECT no FROM listing_sample WHERE sample_pk = NEW.sample_pk);
    INSERT INTO listing_score SELECT no, "key", eval_no, status, scorer, value, rest FROM listing_score_source
    WHERE sample_pk = NEW.sample_pk;
END;
CREATE TRIGGER listing_score_delete AFTER DELETE ON score BEGIN
    DELETE FROM listing_score WHERE no = (SELECT no FROM listing_sample WHERE sample_pk = OLD.sample_pk);
    INSERT INTO listing_score SELECT no, "key", eval_no, status, scorer, value, rest FROM listing_score_source
    WHERE sample_pk = OLD.sample_pk;
END;
