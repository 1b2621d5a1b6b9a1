-- Words of searches are looked for anywhere in the ids of samples. The same ids are in every run of a task: each is here once
-- for each task, so that few texts have to be looked at. One whose task has the word as well leads nowhere: all samples of
-- such evals fit by the eval's texts. Names of tasks are cut off. There may be ids here that no sample of a task has any more.
CREATE TABLE listing_id (
    no        INTEGER PRIMARY KEY,
    id        TEXT NOT NULL, -- as in listing_sample
    task_name TEXT NOT NULL,
    UNIQUE (id, task_name)
) STRICT;
INSERT INTO listing_id (id, task_name)
SELECT DISTINCT l.id, substr(v.task_name, 1, 100) FROM listing_sample l JOIN listing_eval v ON v.no = l.eval_no;
CREATE VIRTUAL TABLE listing_id_text USING fts5(id, content='listing_id', content_rowid='no', tokenize='trigram', detail='none');
INSERT INTO listing_id_text (listing_id_text) VALUES ('rebuild');

DROP TRIGGER listing_text_insert;
DROP TRIGGER listing_text_update;
DROP TRIGGER listing_text_delete;
DROP TABLE listing_text;

CREATE TRIGGER listing_id_insert AFTER INSERT ON listing_id BEGIN
    INSERT INTO listing_id_text (rowid, id) VALUES (NEW.no, NEW.id);
END;
CREATE TRIGGER listing_id_delete AFTER DELETE ON listing_id BEGIN
    INSERT INTO listing_id_text (listing_id_text, rowid, id) VALUES ('delete', OLD.no, OLD.id);
END;

CREATE TRIGGER listing_id_of_new AFTER INSERT ON listing_sample BEGIN
    INSERT INTO listing_id (id, task_name)
    SELECT NEW.id, substr(v.task_name, 1, 100) FROM listing_eval v
    WHERE v.no = NEW.eval_no AND NOT EXISTS (
        SELECT 1 FROM listing_id d WHERE d.id = NEW.id AND d.task_name = substr(v.task_name, 1, 100));
END;
CREATE TRIGGER listing_id_of_changed AFTER UPDATE OF id, eval_no ON listing_sample
WHEN (OLD.id, OLD.eval_no) IS NOT (NEW.id, NEW.eval_no) BEGIN
    INSERT INTO listing_id (id, task_name)
    SELECT NEW.id, substr(v.task_name, 1, 100) FROM listing_eval v
    WHERE v.no = NEW.eval_no AND NOT EXISTS (
        SELECT 1 FROM listing_id d WHERE d.id = NEW.id AND d.task_name = substr(v.task_name, 1, 100));
    DELETE FROM listing_id WHERE id = OLD.id AND NOT EXISTS (SELECT 1 FROM listing_sample WHERE id = OLD.id);
END;
CREATE TRIGGER listing_id_of_deleted AFTER DELETE ON listing_sample BEGIN
    DELETE FROM listing_id WHERE id = OLD.id AND NOT EXISTS (SELECT 1 FROM listing_sample WHERE id = OLD.id);
END;
CREATE TRIGGER listing_id_of_task AFTER UPDATE OF task_name ON listing_eval WHEN OLD.task_name IS NOT NEW.task_name BEGIN
    INSERT INTO listing_id (id, task_name)
    SELECT DISTINCT l.id, substr(NEW.task_name, 1, 100) FROM listing_sample l
    WHERE l.eval_no = NEW.no AND NOT EXISTS (
        SELECT 1 FROM listing_id d WHERE d.id = l.id AND d.task_name = substr(NEW.task_name, 1, 100));
END;

-- Between which instants the samples of an eval were completed; it is no shorter when some of them go.
ALTER TABLE listing_eval ADD COLUMN completed_from INTEGER;
ALTER TABLE listing_eval ADD COLUMN completed_to INTEGER;
UPDATE listing_eval
SET completed_from = (SELECT min(l.completed_at) FROM listing_sample l WHERE l.eval_no = listing_eval.no),
    completed_to = (SELECT max(l.completed_at) FROM listing_sample l WHERE l.eval_no = listing_eval.no);
CREATE TRIGGER listing_eval_times_of_new AFTER INSERT ON listing_sample WHEN NEW.completed_at IS NOT NULL BEGIN
    UPDATE listing_eval
    SET completed_from = CASE WHEN completed_from < NEW.completed_at THEN completed_from ELSE NEW.completed_at END,
        completed_to = CASE WHEN completed_to > NEW.completed_at THEN completed_to ELSE NEW.completed_at END
    WHERE no = NEW.eval_no
          AND (completed_from IS NULL OR NEW.completed_at < completed_from OR NEW.completed_at > completed_to);
END;
CREATE TRIGGER listing_eval_times_of_changed AFTER UPDATE OF completed_at, eval_no ON listing_sample
WHEN NEW.completed_at IS NOT NULL BEGIN
    UPDATE listing_eval
    SET completed_from = CASE WHEN completed_from < NEW.completed_at THEN completed_from ELSE NEW.completed_at END,
        completed_to = CASE WHEN completed_to > NEW.completed_at THEN completed_to ELSE NEW.completed_at END
    WHERE no = NEW.eval_no
          AND (completed_from IS NULL OR NEW.completed_at < completed_from OR NEW.completed_at > completed_to);
END;
