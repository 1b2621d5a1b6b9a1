-- Scans: seen by who may see the groups of their models and of what they have read; their results with them.
GRANT SELECT ON scan, scanner_result TO rls_reader, rls_bypass, hawk_caller;
ALTER TABLE scan ENABLE ROW LEVEL SECURITY;
ALTER TABLE scanner_result ENABLE ROW LEVEL SECURITY;
ALTER TABLE scan_source_eval ENABLE ROW LEVEL SECURITY; -- without a policy: of nobody but the server
ALTER TABLE scan_import ENABLE ROW LEVEL SECURITY;

CREATE POLICY scan_by_group ON scan FOR SELECT TO rls_reader
    USING (user_has_model_group_access(current_user, model_groups));
CREATE POLICY scan_of_caller ON scan FOR SELECT TO hawk_caller
    USING (cardinality(model_groups) > 0 AND model_groups <@ (SELECT caller_model_groups()));
CREATE POLICY scan_all ON scan FOR SELECT TO rls_bypass USING (true);

CREATE POLICY scanner_result_by_scan ON scanner_result FOR SELECT TO rls_reader, hawk_caller
    USING (EXISTS (SELECT 1 FROM scan s WHERE s.pk = scan_pk));
CREATE POLICY scanner_result_all ON scanner_result FOR SELECT TO rls_bypass USING (true);
CREATE POLICY model_role_by_scan ON model_role FOR SELECT TO rls_reader, hawk_caller
    USING (EXISTS (SELECT 1 FROM scan s WHERE s.pk = scan_pk));
