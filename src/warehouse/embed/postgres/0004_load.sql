-- What makes loading cheap. A foreign key looks its sample up once for every row, which took a quarter of an import.
-- Rows below a sample come in the transaction that has written or locked it, so they cannot lack it; when it goes, a
-- trigger takes all of them at once.

ALTER TABLE message DROP CONSTRAINT message_sample_pk_fkey;
ALTER TABLE sample_attachment DROP CONSTRAINT sample_attachment_sample_pk_fkey;
ALTER TABLE event DROP CONSTRAINT event_sample_pk_fkey;
ALTER TABLE message_pool DROP CONSTRAINT message_pool_sample_pk_fkey;
ALTER TABLE model_call_pool DROP CONSTRAINT model_call_pool_sample_pk_fkey;

-- Each statement sees what others have committed while the sample's row was waited for.
CREATE FUNCTION sample_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM gone) THEN
        RETURN NULL;
    END IF;
    DELETE FROM message WHERE sample_pk IN (SELECT pk FROM gone);
    DELETE FROM sample_attachment WHERE sample_pk IN (SELECT pk FROM gone);
    DELETE FROM event WHERE sample_pk IN (SELECT pk FROM gone);
    DELETE FROM message_pool WHERE sample_pk IN (SELECT pk FROM gone);
    DELETE FROM model_call_pool WHERE sample_pk IN (SELECT pk FROM gone);
    RETURN NULL;
END $$;
CREATE TRIGGER sample_delete AFTER DELETE ON sample REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION sample_delete();

-- Long values are compressed with lz4, at a fifth of the work, where the server was built with it.
DO $$
DECLARE
    place record;
BEGIN
    FOR place IN
        SELECT a.attrelid::regclass AS "table", a.attname AS "column"
        FROM pg_attribute a
        WHERE a.attrelid IN (
                'eval'::regclass, 'sample'::regclass, 'score'::regclass, 'message'::regclass,
                'sample_attachment'::regclass, 'event'::regclass, 'message_pool'::regclass, 'model_call_pool'::regclass,
                'search_doc'::regclass)
            AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage IN ('x', 'm')
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', place."table", place."column");
    END LOOP;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END $$;
