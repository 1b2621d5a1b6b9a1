-- Words of searches are looked for anywhere in the ids of samples. The same ids are in every run of a task: each is here once
-- for each task, so that few texts have to be looked at. One whose task has the word as well leads nowhere: all samples of
-- such evals fit by the eval's texts. Names of tasks are cut off. There may be ids here that no sample of a task has any
-- more, and some twice: importers do not wait for one another.
CREATE TABLE listing_id (
    id        text COLLATE "C" NOT NULL, -- as in listing_sample
    task_name text COLLATE "C" NOT NULL
);
INSERT INTO listing_id (id, task_name)
SELECT DISTINCT l.id, left(v.task_name, 100) FROM listing_sample l JOIN listing_eval v ON v.no = l.eval_no;
CREATE INDEX listing_id_by_id ON listing_id (id, task_name);
CREATE INDEX listing_id_by_text ON listing_id USING gin (id gin_trgm_ops);
ANALYZE listing_id;
DROP INDEX listing_sample_by_text;

-- What words are looked for in of an eval: to put it together anew takes longer than all else that a search asks of evals.
ALTER TABLE listing_eval ADD COLUMN words text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    lower(task_name || ' ' || id || ' ' || eval_set_id || ' ' || location || ' ' || model)) STORED;

-- Between which instants the samples of an eval were completed; it is no shorter when some of them go.
ALTER TABLE listing_eval ADD COLUMN completed_from bigint, ADD COLUMN completed_to bigint;
UPDATE listing_eval v SET completed_from = t.first, completed_to = t.last
FROM (SELECT eval_no, min(completed_at) AS first, max(completed_at) AS last FROM listing_sample GROUP BY eval_no) t
WHERE v.no = t.eval_no;

-- An id is taken away when the last sample that has it goes, unless a transaction that adds samples is open, which may have
-- found it here: those hold the lock with others, taking away holds it alone. Nobody waits for it. Who adds samples while
-- ids are taken away adds their ids whether they are here or not. The settings are for plans that are made while the table
-- is small.
CREATE FUNCTION listing_sample_note() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    UPDATE listing_eval v
    SET completed_from = least(v.completed_from, c.first), completed_to = greatest(v.completed_to, c.last)
    FROM (SELECT eval_no, min(completed_at) AS first, max(completed_at) AS last FROM changed
          WHERE completed_at IS NOT NULL GROUP BY eval_no) c
    WHERE v.no = c.eval_no AND (v.completed_from IS NULL OR c.first < v.completed_from OR c.last > v.completed_to);
    IF pg_try_advisory_xact_lock_shared(hashtextextended('listing_id', 0)) THEN
        INSERT INTO listing_id (id, task_name)
        SELECT DISTINCT c.id, left(v.task_name, 100) FROM changed c JOIN listing_eval v ON v.no = c.eval_no
        WHERE NOT EXISTS (SELECT 1 FROM listing_id d WHERE d.id = c.id AND d.task_name = left(v.task_name, 100));
    ELSE
        INSERT INTO listing_id (id, task_name)
        SELECT DISTINCT c.id, left(v.task_name, 100) FROM changed c JOIN listing_eval v ON v.no = c.eval_no;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION listing_id_remove() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('listing_id', 0)) THEN
        DELETE FROM listing_id d USING changed c
        WHERE d.id = c.id AND NOT EXISTS (SELECT 1 FROM listing_sample l WHERE l.id = c.id);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION listing_id_of_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO listing_id (id, task_name)
    SELECT DISTINCT l.id, left(NEW.task_name, 100) FROM listing_sample l WHERE l.eval_no = NEW.no;
    RETURN NULL;
END $$;

CREATE TRIGGER listing_sample_note_new AFTER INSERT ON listing_sample REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_sample_note();
CREATE TRIGGER listing_sample_note_changed AFTER UPDATE ON listing_sample REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_sample_note();
CREATE TRIGGER listing_id_of_deleted AFTER DELETE ON listing_sample REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION listing_id_remove();
CREATE TRIGGER listing_id_of_task AFTER UPDATE OF task_name ON listing_eval
    FOR EACH ROW WHEN (OLD.task_name IS DISTINCT FROM NEW.task_name) EXECUTE FUNCTION listing_id_of_task();
