-- The search index. What is still to be indexed is a row of search_todo, made by triggers in the transaction that writes
-- a sample; a pass behind the import makes documents of it (warehouse/search_index). Words are told apart by the
-- program, so that both databases have the same; tsv is made of them, and goes with its document.

CREATE TABLE search_todo (
    no         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    eval_pk    uuid NOT NULL REFERENCES eval (pk) ON DELETE CASCADE,
    sample_pk  uuid REFERENCES sample (pk) ON DELETE CASCADE, -- null: the eval itself
    generation bigint NOT NULL DEFAULT 0                      -- counts changes; only the last one is done
);
CREATE UNIQUE INDEX search_todo_of_sample ON search_todo (sample_pk) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX search_todo_of_eval ON search_todo (eval_pk) WHERE sample_pk IS NULL;
CREATE INDEX search_todo_by_eval ON search_todo (eval_pk);

CREATE TABLE search_doc (
    no        bigint PRIMARY KEY, -- the eval's number in listing_eval times 2^32, and a count
    sample_pk uuid REFERENCES sample (pk) ON DELETE CASCADE,
    eval_pk   uuid REFERENCES eval (pk) ON DELETE CASCADE, -- of what belongs to no sample
    entity    smallint NOT NULL,
    content   smallint NOT NULL,
    entity_pk text NOT NULL,
    anchor    text,
    tsv       tsvector NOT NULL,
    body      text NOT NULL
);
CREATE INDEX search_doc_of_sample ON search_doc (sample_pk) WHERE sample_pk IS NOT NULL;
CREATE INDEX search_doc_of_eval ON search_doc (eval_pk) WHERE eval_pk IS NOT NULL;
CREATE INDEX search_doc_by_words ON search_doc USING gin (tsv);

-- The names of the places that a document is in, by its number: its eval, and the stretches of 32 and of 1024 evals that
-- the eval is in. They stand in tsv beside the words, none of which begins with '#'.
CREATE FUNCTION search_places(no bigint) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY['#0.' || (no >> 32), '#1.' || (no >> 37), '#2.' || (no >> 42)])
$$;

CREATE FUNCTION search_todo_sample_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_todo (eval_pk, sample_pk) SELECT eval_pk, pk FROM changed;
    RETURN NULL;
END $$;
CREATE FUNCTION search_todo_sample_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_todo AS t (eval_pk, sample_pk)
    SELECT c.eval_pk, c.pk FROM changed c JOIN before b ON b.pk = c.pk
    WHERE c.last_imported_at IS DISTINCT FROM b.last_imported_at
    ON CONFLICT (sample_pk) WHERE sample_pk IS NOT NULL
    DO UPDATE SET generation = t.generation + 1, eval_pk = excluded.eval_pk;
    RETURN NULL;
END $$;
CREATE FUNCTION search_todo_eval_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_todo (eval_pk) SELECT pk FROM changed;
    RETURN NULL;
END $$;
CREATE FUNCTION search_todo_eval_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_todo AS t (eval_pk)
    SELECT c.pk FROM changed c JOIN before b ON b.pk = c.pk
    WHERE (c.task_name, c.task_args, c.model, c.agent, c.error_message, c.meta) IS DISTINCT FROM
          (b.task_name, b.task_args, b.model, b.agent, b.error_message, b.meta)
    ON CONFLICT (eval_pk) WHERE sample_pk IS NULL DO UPDATE SET generation = t.generation + 1;
    RETURN NULL;
END $$;

CREATE TRIGGER search_todo_sample_insert AFTER INSERT ON sample REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION search_todo_sample_insert();
CREATE TRIGGER search_todo_sample_update AFTER UPDATE ON sample REFERENCING OLD TABLE AS before NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION search_todo_sample_update();
CREATE TRIGGER search_todo_eval_insert AFTER INSERT ON eval REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION search_todo_eval_insert();
CREATE TRIGGER search_todo_eval_update AFTER UPDATE ON eval REFERENCING OLD TABLE AS before NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION search_todo_eval_update();

-- What is there already.
INSERT INTO search_todo (eval_pk) SELECT pk FROM eval;
INSERT INTO search_todo (eval_pk, sample_pk) SELECT eval_pk, pk FROM sample;
