-- The search index. What is still to be indexed is a row of search_todo, made by triggers in the transaction that writes
-- a sample; a pass behind the import makes documents of it (warehouse/search_index). A document holds plain text once;
-- search_words is the index over it and holds no text, and triggers take a document out of it as it was put in: then
-- what is deleted cannot be found, nor can its words be read from the index.

CREATE TABLE search_todo (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    eval_pk    TEXT NOT NULL REFERENCES eval (pk) ON DELETE CASCADE,
    sample_pk  TEXT REFERENCES sample (pk) ON DELETE CASCADE, -- null: the eval itself
    generation INTEGER NOT NULL DEFAULT 0                     -- counts changes; only the last one is done
) STRICT;
CREATE UNIQUE INDEX search_todo_of_sample ON search_todo (sample_pk) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX search_todo_of_eval ON search_todo (eval_pk) WHERE sample_pk IS NULL;
CREATE INDEX search_todo_by_eval ON search_todo (eval_pk);

CREATE TABLE search_doc (
    no        INTEGER PRIMARY KEY, -- the eval's number in listing_eval times 2^32, and a count
    sample_pk TEXT REFERENCES sample (pk) ON DELETE CASCADE,
    eval_pk   TEXT REFERENCES eval (pk) ON DELETE CASCADE, -- of what belongs to no sample
    entity    INTEGER NOT NULL,
    content   INTEGER NOT NULL,
    entity_pk TEXT NOT NULL,
    anchor    TEXT,
    body      TEXT NOT NULL
) STRICT;
CREATE INDEX search_doc_of_sample ON search_doc (sample_pk) WHERE sample_pk IS NOT NULL;
CREATE INDEX search_doc_of_eval ON search_doc (eval_pk) WHERE eval_pk IS NOT NULL;

CREATE VIRTUAL TABLE search_words USING fts5(body, content='search_doc', content_rowid='no',
                                             tokenize='unicode61 remove_diacritics 0');

CREATE TRIGGER search_words_insert AFTER INSERT ON search_doc BEGIN
    INSERT INTO search_words (rowid, body) VALUES (NEW.no, NEW.body);
END;
CREATE TRIGGER search_words_delete AFTER DELETE ON search_doc BEGIN
    INSERT INTO search_words (search_words, rowid, body) VALUES ('delete', OLD.no, OLD.body);
END;

CREATE TRIGGER search_todo_sample_insert AFTER INSERT ON sample BEGIN
    INSERT INTO search_todo (eval_pk, sample_pk) VALUES (NEW.eval_pk, NEW.pk);
END;
CREATE TRIGGER search_todo_sample_update AFTER UPDATE OF last_imported_at ON sample BEGIN
    INSERT INTO search_todo (eval_pk, sample_pk) VALUES (NEW.eval_pk, NEW.pk)
    ON CONFLICT (sample_pk) WHERE sample_pk IS NOT NULL
    DO UPDATE SET generation = generation + 1, eval_pk = excluded.eval_pk;
END;
CREATE TRIGGER search_todo_eval_insert AFTER INSERT ON eval BEGIN
    INSERT INTO search_todo (eval_pk) VALUES (NEW.pk);
END;
CREATE TRIGGER search_todo_eval_update
AFTER UPDATE OF task_name, task_args, model, agent, error_message, meta ON eval
WHEN (OLD.task_name, OLD.task_args, OLD.model, OLD.agent, OLD.error_message, OLD.meta) IS NOT
     (NEW.task_name, NEW.task_args, NEW.model, NEW.agent, NEW.error_message, NEW.meta) BEGIN
    INSERT INTO search_todo (eval_pk) VALUES (NEW.pk)
    ON CONFLICT (eval_pk) WHERE sample_pk IS NULL DO UPDATE SET generation = generation + 1;
END;

-- What is there already.
INSERT INTO search_todo (eval_pk) SELECT pk FROM eval;
INSERT INTO search_todo (eval_pk, sample_pk) SELECT eval_pk, pk FROM sample;
