-- The same walls, asked for less: a policy calls a function only where there is something for it to do, because each
-- call takes as long as a dozen rows of a list, in every statement.

-- hawk.groups is an array as PostgreSQL writes it, {"a","b"}. A JSON list, as a server of before sends it, counts too;
-- anything else is nobody's or an error.
DO $$
DECLARE
    seen text;
BEGIN
    FOREACH seen IN ARRAY ARRAY['eval', 'job', 'import_queue', 'scan'] LOOP
        EXECUTE format($policy$
            ALTER POLICY %I ON %I USING (
                cardinality(model_groups) > 0 AND model_groups <@ (
                    SELECT CASE WHEN left(current_setting('hawk.groups', true), 1) = '{'
                                THEN array_remove(current_setting('hawk.groups', true)::text[], '__unresolved__')
                                ELSE caller_model_groups() END))
            $policy$, CASE seen WHEN 'import_queue' THEN 'import' ELSE seen END || '_of_caller', seen);
    END LOOP;
    FOREACH seen IN ARRAY ARRAY['score', 'message', 'sample_attachment', 'sample_model', 'event', 'message_pool',
                                'model_call_pool'] LOOP
        EXECUTE format($policy$
            ALTER POLICY %I ON %I USING (
                sample_pk = (SELECT CASE WHEN current_setting('hawk.sample', true) <> '' THEN caller_sample() END)
                OR EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk))
            $policy$, seen || '_of_caller', seen);
    END LOOP;
END
$$;
