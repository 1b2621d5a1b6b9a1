-- What lists are made from: narrow rows with everything that samples are sorted and filtered by, kept right by triggers.
-- A list is answered from the indices here; sample, score and eval are read for the rows of the page alone.
--
-- Two indices for each column: over all samples, for a list that takes most of them, and within an eval, because what a
-- list is narrowed to is nearly always a choice of evals, and evals differ in just the columns that people sort by.
CREATE TABLE listing_status (
    no   smallint PRIMARY KEY, -- in the order of lists: first what went well, last what failed
    name text NOT NULL UNIQUE
);
INSERT INTO listing_status (no, name) VALUES
    (0, 'success'), (1, 'provisional'), (2, 'context_limit'), (3, 'cost_limit'), (4, 'custom_limit'), (5, 'message_limit'),
    (6, 'operator_limit'), (7, 'time_limit'), (8, 'token_limit'), (9, 'working_limit'), (10, 'error');

CREATE TABLE listing_eval (
    no           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never used again: the search index has it in its keys
    eval_pk      uuid NOT NULL UNIQUE REFERENCES eval (pk) ON DELETE CASCADE,
    eval_set_id  text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    task_name    text COLLATE "C" NOT NULL,
    task_version text COLLATE "C",
    model        text COLLATE "C" NOT NULL,
    created_by   text COLLATE "C",
    location     text COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    model_groups text[] NOT NULL
);

-- Instants are microseconds, as in SQLite: they are only compared here.
CREATE TABLE listing_sample (
    no                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sample_pk               uuid NOT NULL UNIQUE REFERENCES sample (pk) ON DELETE CASCADE,
    eval_no                 bigint NOT NULL,
    status                  smallint NOT NULL,
    is_invalid              smallint NOT NULL,
    epoch                   integer NOT NULL,
    started_at              bigint,
    completed_at            bigint,
    input_tokens            bigint,
    output_tokens           bigint,
    reasoning_tokens        bigint,
    total_tokens            bigint,
    action_count            integer,
    message_count           integer,
    working_time_seconds    double precision,
    total_time_seconds      double precision,
    generation_time_seconds double precision,
    id                      text COLLATE "C" NOT NULL, -- the beginning of it, as of the other texts
    uuid                    text COLLATE "C" NOT NULL,
    error_message           text COLLATE "C"
);

-- Final scores of samples that are over: a row for each scorer, with the key '=' and its name, and one with the key '' for
-- "the" score of a sample that has a single one. The score is a number, which may be infinite, or else the beginning of
-- its JSON.
CREATE TABLE listing_score (
    no      bigint NOT NULL REFERENCES listing_sample (no) ON DELETE CASCADE,
    "key"   text COLLATE "C" NOT NULL,
    eval_no bigint NOT NULL,
    status  smallint NOT NULL,
    scorer  text COLLATE "C" NOT NULL,
    value   double precision,
    rest    text COLLATE "C"
);

CREATE VIEW listing_score_source AS
SELECT l.no, '=' || c.scorer AS "key", l.eval_no, l.status, c.scorer,
       CASE c.value_nonfinite WHEN 'inf' THEN 'infinity'::float8 WHEN '-inf' THEN '-infinity'::float8 WHEN 'nan' THEN NULL
       ELSE c.value_float END AS value,
       CASE WHEN c.value_nonfinite = 'nan' OR (c.value_nonfinite IS NULL AND c.value_float IS NULL)
       THEN left(c.value::text, 100) END AS rest,
       c.sample_pk
FROM score c JOIN listing_sample l ON l.sample_pk = c.sample_pk
WHERE NOT c.is_intermediate AND l.status <> 1 -- provisional
UNION ALL
SELECT l.no, '', l.eval_no, l.status, c.scorer,
       CASE c.value_nonfinite WHEN 'inf' THEN 'infinity'::float8 WHEN '-inf' THEN '-infinity'::float8 WHEN 'nan' THEN NULL
       ELSE c.value_float END,
       CASE WHEN c.value_nonfinite = 'nan' OR (c.value_nonfinite IS NULL AND c.value_float IS NULL)
       THEN left(c.value::text, 100) END,
       c.sample_pk
FROM score c JOIN listing_sample l ON l.sample_pk = c.sample_pk
WHERE NOT c.is_intermediate AND l.status <> 1 -- provisional
      AND NOT EXISTS (SELECT 1 FROM score o WHERE o.sample_pk = c.sample_pk AND NOT o.is_intermediate AND o.pk <> c.pk);

-- What is there already.
INSERT INTO listing_eval (
        eval_pk, eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups)
SELECT
        pk, eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups
FROM eval ORDER BY created_at, pk;
INSERT INTO listing_sample (
        sample_pk, eval_no, status, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens,
        reasoning_tokens, total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
        generation_time_seconds, is_invalid, error_message)
SELECT
        s.pk, v.no, t.no, left(s.id, 500), left(s.uuid, 500), s.epoch,
        (extract(epoch FROM s.started_at) * 1000000)::bigint,
        (extract(epoch FROM s.completed_at) * 1000000)::bigint, s.input_tokens, s.output_tokens, s.reasoning_tokens,
        s.total_tokens, s.action_count, s.message_count, s.working_time_seconds, s.total_time_seconds,
        s.generation_time_seconds, s.is_invalid::int, left(s.error_message, 200)
FROM sample s JOIN listing_eval v ON v.eval_pk = s.eval_pk
        JOIN listing_status t ON t.name = CASE WHEN s.is_provisional THEN 'provisional' ELSE s.status END
ORDER BY v.no, s.pk;
ANALYZE listing_eval;
ANALYZE listing_sample;
INSERT INTO listing_score SELECT no, "key", eval_no, status, scorer, value, rest FROM listing_score_source;

CREATE INDEX listing_eval_by_set ON listing_eval (eval_set_id);
CREATE INDEX listing_sample_by_id ON listing_sample (id, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_uuid ON listing_sample (uuid, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_epoch ON listing_sample (epoch, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_started_at ON listing_sample (started_at, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_completed_at ON listing_sample (completed_at, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_input_tokens ON listing_sample (input_tokens, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_output_tokens ON listing_sample (output_tokens, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_reasoning_tokens ON listing_sample (reasoning_tokens, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_total_tokens ON listing_sample (total_tokens, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_action_count ON listing_sample (action_count, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_message_count ON listing_sample (message_count, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_working_time_seconds ON listing_sample (working_time_seconds, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_total_time_seconds ON listing_sample (total_time_seconds, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_generation_time_seconds ON listing_sample (generation_time_seconds, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_is_invalid ON listing_sample (is_invalid, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_error_message ON listing_sample (error_message, no) INCLUDE (eval_no, status);
CREATE INDEX listing_sample_by_status ON listing_sample (status, no) INCLUDE (eval_no);
CREATE INDEX listing_sample_of_eval_by_id ON listing_sample (eval_no, id, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_uuid ON listing_sample (eval_no, uuid, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_epoch ON listing_sample (eval_no, epoch, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_started_at ON listing_sample (eval_no, started_at, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_completed_at ON listing_sample (eval_no, completed_at, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_input_tokens ON listing_sample (eval_no, input_tokens, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_output_tokens ON listing_sample (eval_no, output_tokens, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_reasoning_tokens ON listing_sample (eval_no, reasoning_tokens, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_total_tokens ON listing_sample (eval_no, total_tokens, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_action_count ON listing_sample (eval_no, action_count, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_message_count ON listing_sample (eval_no, message_count, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_working_time_seconds ON listing_sample (eval_no, working_time_seconds, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_total_time_seconds ON listing_sample (eval_no, total_time_seconds, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_generation_time_seconds ON listing_sample (eval_no, generation_time_seconds, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_is_invalid ON listing_sample (eval_no, is_invalid, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_error_message ON listing_sample (eval_no, error_message, no) INCLUDE (status);
CREATE INDEX listing_sample_of_eval_by_status ON listing_sample (eval_no, status, no);
CREATE INDEX listing_sample_of_eval ON listing_sample (eval_no, no) INCLUDE (status);
CREATE INDEX listing_sample_by_text ON listing_sample USING gin (id gin_trgm_ops);
ALTER TABLE listing_score ADD PRIMARY KEY (no, "key") INCLUDE (value);
CREATE INDEX listing_score_by_value ON listing_score ("key", value, no) INCLUDE (eval_no, status);
CREATE INDEX listing_score_by_rest ON listing_score ("key", rest, no) INCLUDE (eval_no, status);
CREATE INDEX listing_score_by_scorer ON listing_score ("key", scorer, no) INCLUDE (eval_no, status);
CREATE INDEX listing_score_of_eval_by_value ON listing_score (eval_no, "key", value, no) INCLUDE (status);
CREATE INDEX listing_score_of_eval_by_rest ON listing_score (eval_no, "key", rest, no) INCLUDE (status);
CREATE INDEX listing_score_of_eval_by_scorer ON listing_score (eval_no, "key", scorer, no) INCLUDE (status);
CREATE INDEX listing_score_of_status ON listing_score (status, "key", value, no);

-- A statement changes many rows: what it changed is taken as a whole.
CREATE FUNCTION listing_eval_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO listing_eval (
            eval_pk, eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups)
    SELECT
            pk, eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups
    FROM changed;
    RETURN NULL;
END $$;
CREATE FUNCTION listing_eval_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE listing_eval l
    SET (
            eval_set_id, id, task_name, task_version, model, created_by, location, created_at, model_groups) = (
            c.eval_set_id, c.id, c.task_name, c.task_version, c.model, c.created_by, c.location, c.created_at,
            c.model_groups)
    FROM changed c
    WHERE l.eval_pk = c.pk AND (
            l.eval_set_id, l.id, l.task_name, l.task_version, l.model, l.created_by, l.location, l.created_at,
            l.model_groups) IS DISTINCT FROM (
            c.eval_set_id, c.id, c.task_name, c.task_version, c.model, c.created_by, c.location, c.created_at,
            c.model_groups);
    RETURN NULL;
END $$;
CREATE FUNCTION listing_sample_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO listing_sample (
            sample_pk, eval_no, status, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens,
            reasoning_tokens, total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
            generation_time_seconds, is_invalid, error_message)
    SELECT
            s.pk, v.no, t.no, left(s.id, 500), left(s.uuid, 500), s.epoch,
            (extract(epoch FROM s.started_at) * 1000000)::bigint,
            (extract(epoch FROM s.completed_at) * 1000000)::bigint, s.input_tokens, s.output_tokens,
            s.reasoning_tokens, s.total_tokens, s.action_count, s.message_count, s.working_time_seconds,
            s.total_time_seconds, s.generation_time_seconds, s.is_invalid::int, left(s.error_message, 200)
    FROM changed s JOIN listing_eval v ON v.eval_pk = s.eval_pk
        JOIN listing_status t ON t.name = CASE WHEN s.is_provisional THEN 'provisional' ELSE s.status END;
    INSERT INTO listing_score
    SELECT r.no, r."key", r.eval_no, r.status, r.scorer, r.value, r.rest
    FROM listing_score_source r JOIN changed c ON c.pk = r.sample_pk;
    RETURN NULL;
END $$;
CREATE FUNCTION listing_sample_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE listing_sample l
    SET (
            eval_no, status, id, uuid, epoch, started_at, completed_at, input_tokens, output_tokens,
            reasoning_tokens, total_tokens, action_count, message_count, working_time_seconds, total_time_seconds,
            generation_time_seconds, is_invalid, error_message) = (
            v.no, t.no, left(s.id, 500), left(s.uuid, 500), s.epoch,
            (extract(epoch FROM s.started_at) * 1000000)::bigint,
            (extract(epoch FROM s.completed_at) * 1000000)::bigint, s.input_tokens, s.output_tokens,
            s.reasoning_tokens, s.total_tokens, s.action_count, s.message_count, s.working_time_seconds,
            s.total_time_seconds, s.generation_time_seconds, s.is_invalid::int, left(s.error_message, 200))
    FROM changed s JOIN listing_eval v ON v.eval_pk = s.eval_pk
        JOIN listing_status t ON t.name = CASE WHEN s.is_provisional THEN 'provisional' ELSE s.status END
    WHERE l.sample_pk = s.pk AND (
            l.eval_no, l.status, l.id, l.uuid, l.epoch, l.started_at, l.completed_at, l.input_tokens,
            l.output_tokens, l.reasoning_tokens, l.total_tokens, l.action_count, l.message_count,
            l.working_time_seconds, l.total_time_seconds, l.generation_time_seconds, l.is_invalid, l.error_message) IS DISTINCT FROM (
            v.no, t.no, left(s.id, 500), left(s.uuid, 500), s.epoch,
            (extract(epoch FROM s.started_at) * 1000000)::bigint,
            (extract(epoch FROM s.completed_at) * 1000000)::bigint, s.input_tokens, s.output_tokens,
            s.reasoning_tokens, s.total_tokens, s.action_count, s.message_count, s.working_time_seconds,
            s.total_time_seconds, s.generation_time_seconds, s.is_invalid::int, left(s.error_message, 200));
    DELETE FROM listing_score r
    USING changed s JOIN listing_sample l ON l.sample_pk = s.pk
    WHERE r.no = l.no AND (r.eval_no, r.status) IS DISTINCT FROM (l.eval_no, l.status);
    INSERT INTO listing_score
    SELECT r.no, r."key", r.eval_no, r.status, r.scorer, r.value, r.rest
    FROM listing_score_source r JOIN changed c ON c.pk = r.sample_pk
    WHERE NOT EXISTS (SELECT 1 FROM listing_score x WHERE x.no = r.no);
    RETURN NULL;
END $$;
CREATE FUNCTION listing_score_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM listing_score r
    USING (SELECT DISTINCT sample_pk FROM changed) c JOIN listing_sample l ON l.sample_pk = c.sample_pk
    WHERE r.no = l.no;
    INSERT INTO listing_score
    SELECT r.no, r."key", r.eval_no, r.status, r.scorer, r.value, r.rest
    FROM listing_score_source r JOIN (SELECT DISTINCT sample_pk FROM changed) c ON c.sample_pk = r.sample_pk;
    RETURN NULL;
END $$;

CREATE TRIGGER listing_eval_insert AFTER INSERT ON eval REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_eval_insert();
CREATE TRIGGER listing_eval_update AFTER UPDATE ON eval REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_eval_update();
CREATE TRIGGER listing_sample_insert AFTER INSERT ON sample REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_sample_insert();
CREATE TRIGGER listing_sample_update AFTER UPDATE ON sample REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_sample_update();
CREATE TRIGGER listing_score_insert AFTER INSERT ON score REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_score_change();
CREATE TRIGGER listing_score_update AFTER UPDATE ON score REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_score_change();
CREATE TRIGGER listing_score_delete AFTER DELETE ON score REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_score_change();
