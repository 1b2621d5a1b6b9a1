-- The second wall: what the server reads for somebody it reads as hawk_caller, with that person's model groups in the
-- setting hawk.groups (a JSON list), both until the end of the transaction. A condition that is missing in a query then
-- shows nothing that is not theirs.
--
-- What lists are found with (listing_*, search_*) is open to hawk_caller: every row that is shown is read from here.

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'hawk_caller') THEN
        CREATE ROLE hawk_caller NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'hawk_caller', 'MEMBER') THEN
        EXECUTE format('GRANT hawk_caller TO %I', current_user);
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role hawk_caller is not there, and % may not make it', current_user
            USING HINT = 'make it as a superuser: CREATE ROLE hawk_caller NOLOGIN; GRANT hawk_caller TO ...';
END
$$;

-- Without the setting, or with one that says nothing, nobody's. In PL/pgSQL, which plans once for a connection.
CREATE FUNCTION caller_model_groups() RETURNS text[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN (SELECT coalesce(array_agg(value), '{}')
            FROM jsonb_array_elements_text(coalesce(nullif(current_setting('hawk.groups', true), ''), '[]')::jsonb)
            WHERE value <> '__unresolved__');
END
$$;

GRANT USAGE ON SCHEMA public TO hawk_caller;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO hawk_caller;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO hawk_caller;

-- The groups are asked for once in a statement, hence the SELECT around them.
ALTER TABLE import_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY eval_of_caller ON eval FOR SELECT TO hawk_caller
    USING (cardinality(model_groups) > 0 AND model_groups <@ (SELECT caller_model_groups()));
CREATE POLICY job_of_caller ON job FOR SELECT TO hawk_caller
    USING (cardinality(model_groups) > 0 AND model_groups <@ (SELECT caller_model_groups()));
CREATE POLICY import_of_caller ON import_queue FOR SELECT TO hawk_caller
    USING (cardinality(model_groups) > 0 AND model_groups <@ (SELECT caller_model_groups()));

ALTER POLICY sample_by_eval ON sample TO rls_reader, hawk_caller;
ALTER POLICY model_role_by_eval ON model_role TO rls_reader, hawk_caller;

-- The sample that the transaction is about (the setting hawk.sample), if the caller may see it: this is read as the
-- caller. What is below it is then seen without a look at sample and eval for each row.
CREATE FUNCTION caller_sample() RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN (SELECT s.pk FROM public.sample s WHERE s.pk = nullif(current_setting('hawk.sample', true), '')::uuid);
END
$$;

DO $$
DECLARE
    child text;
BEGIN
    FOREACH child IN ARRAY ARRAY['score', 'message', 'sample_attachment', 'sample_model', 'event', 'message_pool',
                                 'model_call_pool'] LOOP
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO hawk_caller USING (sample_pk = (SELECT caller_sample()) OR '
                       'EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk))', child || '_of_caller', child);
    END LOOP;
END
$$;
