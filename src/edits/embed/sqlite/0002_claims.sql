-- Who applies a row: a name that counts for one trial, and until when unless it is renewed.
ALTER TABLE sample_edit ADD COLUMN claim TEXT;
ALTER TABLE sample_edit ADD COLUMN lease_until INTEGER;

CREATE INDEX sample_edit_at_work ON sample_edit (eval_set_id) WHERE state = 'applying';
