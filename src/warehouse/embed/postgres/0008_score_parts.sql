-- A score that is an object has a row for each of its members too, with the key '=', the scorer's name, '.' and the member's.
-- They come with the row of the score and go with all rows of the sample. The scorer that is really called so comes first.
-- So many members, no longer names, and no other numbers, as an index and a column take.
CREATE VIEW listing_score_part AS
SELECT c.sample_pk, c.scorer, '=' || c.scorer || '.' || p."key" AS "key", n.value,
       CASE WHEN n.value IS NULL THEN left(p.value::text, 100) END AS rest
FROM score c
    CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(c.value) = 'object' THEN c.value ELSE '{}'::jsonb END) p
    CROSS JOIN LATERAL (
        SELECT CASE jsonb_typeof(p.value)
        WHEN 'number' THEN CASE WHEN p.value::numeric = 0 OR abs(p.value::numeric) BETWEEN 1e-300 AND 1e300 THEN p.value::float8 END
        WHEN 'boolean' THEN p.value::bool::int::float8 END AS value) n
WHERE NOT c.is_intermediate AND length(c.value::text) <= 4000 AND length(p."key") <= 200
      AND NOT EXISTS (SELECT 1 FROM score o WHERE o.sample_pk = c.sample_pk AND o.scorer = c.scorer || '.' || p."key");

INSERT INTO listing_score (no, "key", eval_no, status, scorer, value, rest)
SELECT r.no, p."key", r.eval_no, r.status, p.scorer, p.value, p.rest
FROM listing_score r JOIN listing_sample l ON l.no = r.no JOIN listing_score_part p ON p.sample_pk = l.sample_pk AND p.scorer = r.scorer
WHERE r."key" = '=' || r.scorer AND left(r.rest, 1) = '{'
ON CONFLICT DO NOTHING;

-- Rows of parts are no scores, so the trigger of theirs does nothing.
CREATE FUNCTION listing_score_part_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added WHERE "key" = '=' || scorer AND left(rest, 1) = '{') THEN
        INSERT INTO listing_score (no, "key", eval_no, status, scorer, value, rest)
        SELECT r.no, p."key", r.eval_no, r.status, p.scorer, p.value, p.rest
        FROM added r JOIN listing_sample l ON l.no = r.no
            JOIN listing_score_part p ON p.sample_pk = l.sample_pk AND p.scorer = r.scorer
        WHERE r."key" = '=' || r.scorer AND left(r.rest, 1) = '{'
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER listing_score_part_insert AFTER INSERT ON listing_score REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION listing_score_part_insert();
