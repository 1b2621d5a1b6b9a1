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

-- Below an eval a row is seen when its parent is: the parent's own policy decides. rls_bypass is for programs that see
-- everything.
DO $$
DECLARE
    rule record;
BEGIN
    FOR rule IN
        SELECT child, parent, condition
        FROM (VALUES
            ('group',  'user_has_model_group_access(current_user, model_groups)', '{eval,job}'::text[]),
            ('eval',   'EXISTS (SELECT 1 FROM eval e WHERE e.pk = eval_pk)', '{sample,model_role}'),
            ('sample', 'EXISTS (SELECT 1 FROM sample s WHERE s.pk = sample_pk)',
             '{score,message,sample_attachment,sample_model,event,message_pool,model_call_pool}')
        ) AS rules (parent, condition, children), unnest(children) AS child
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', rule.child);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO rls_reader USING (%s)',
                       rule.child || '_by_' || rule.parent, rule.child, rule.condition);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO rls_bypass USING (true)', rule.child || '_all', rule.child);
    END LOOP;
END
$$;
