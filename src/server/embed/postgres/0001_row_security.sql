-- Row-level security by model group, for people and programs that read the database with a role of their own. The
-- server's own role owns the tables and is not held by it: it asks the same question in its queries.
--
-- A person's role is a member of rls_reader (may read at all) and of the role of each model group that it may see.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['rls_reader', 'rls_bypass', 'model_access_all'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the roles rls_reader, rls_bypass and model_access_all are not there, and % may not make them', current_user
            USING HINT = 'make them as a superuser: CREATE ROLE rls_reader NOLOGIN; ...';
END
$$;

-- Whether a role is a member of the role of every group. No groups, or one without a role, is nobody's. Names that
-- PostgreSQL would cut short could become another's.
CREATE FUNCTION user_has_model_group_access(user_name name, model_groups text[]) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    wanted text;
BEGIN
    IF model_groups IS NULL OR cardinality(model_groups) = 0 THEN
        RETURN false;
    END IF;
    FOREACH wanted IN ARRAY model_groups LOOP
        IF wanted IS NULL OR wanted = '__unresolved__' OR octet_length(wanted) > 63 THEN
            RETURN false;
        END IF;
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            RETURN false;
        END IF;
        IF NOT pg_has_role(user_name, wanted::name, 'MEMBER') THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION user_has_model_group_access(name, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION user_has_model_group_access(name, text[]) TO rls_reader, rls_bypass;

-- Makes a role for every model group that has none. Only names that are plainly model groups: a group that is called as
-- another role must not become that role.
CREATE FUNCTION sync_model_group_roles() RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    wanted text;
    n integer := 0;
BEGIN
    FOR wanted IN SELECT name FROM middleman.model_group
        WHERE name LIKE 'model-access-%' AND octet_length(name) <= 63 ORDER BY name LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            n := n + 1;
        END IF;
        EXECUTE format('GRANT %I TO model_access_all', wanted);
    END LOOP;
    RETURN n;
END
$$;
REVOKE ALL ON FUNCTION sync_model_group_roles() FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO rls_reader, rls_bypass;
GRANT SELECT ON eval, sample, score, message, sample_attachment, sample_model, model_role, event, message_pool,
    model_call_pool, job TO rls_reader, rls_bypass;

ALTER TABLE eval ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample ENABLE ROW LEVEL SECURITY;
ALTER TABLE score ENABLE ROW LEVEL SECURITY;
ALTER TABLE message ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample_attachment ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample_model ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_role ENABLE ROW LEVEL SECURITY;
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE message_pool ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_call_pool ENABLE ROW LEVEL SECURITY;
ALTER TABLE job ENABLE ROW LEVEL SECURITY;

-- Below an eval a row is seen when its parent is: the parent's own policy decides.
CREATE POLICY eval_by_group ON eval FOR SELECT TO rls_reader
    USING (user_has_model_group_access(current_user, model_groups));
CREATE POLICY job_by_group ON job FOR SELECT TO rls_reader
    USING (user_has_model_group_access(current_user, model_groups));
CREATE POLICY sample_by_eval ON sample FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM eval e WHERE e.pk = eval_pk));
CREATE POLICY model_role_by_eval ON model_role FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM eval e WHERE e.pk = eval_pk));
CREATE POLICY score_by_sample ON score FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk));
CREATE POLICY message_by_sample ON message FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk));
CREATE POLICY sample_attachment_by_sample ON sample_attachment FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk));
CREATE POLICY sample_model_by_sample ON sample_model FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk));
CREATE POLICY event_by_sample ON event FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk));
CREATE POLICY message_pool_by_sample ON message_pool FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk));
CREATE POLICY model_call_pool_by_sample ON model_call_pool FOR SELECT TO rls_reader
    USING (EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk));

-- Programs that see everything.
CREATE POLICY eval_all ON eval FOR SELECT TO rls_bypass USING (true);
CREATE POLICY job_all ON job FOR SELECT TO rls_bypass USING (true);
CREATE POLICY sample_all ON sample FOR SELECT TO rls_bypass USING (true);
CREATE POLICY model_role_all ON model_role FOR SELECT TO rls_bypass USING (true);
CREATE POLICY score_all ON score FOR SELECT TO rls_bypass USING (true);
CREATE POLICY message_all ON message FOR SELECT TO rls_bypass USING (true);
CREATE POLICY sample_attachment_all ON sample_attachment FOR SELECT TO rls_bypass USING (true);
CREATE POLICY sample_model_all ON sample_model FOR SELECT TO rls_bypass USING (true);
CREATE POLICY event_all ON event FOR SELECT TO rls_bypass USING (true);
CREATE POLICY message_pool_all ON message_pool FOR SELECT TO rls_bypass USING (true);
CREATE POLICY model_call_pool_all ON model_call_pool FOR SELECT TO rls_bypass USING (true);
