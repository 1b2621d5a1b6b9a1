-- A score that is an object has a row for each of its members too, with the key '=', the scorer's name, '.' and the member's.
-- They come with the row of the score and go with all rows of the sample. The scorer that is really called so comes first.
-- So many members, and no longer names, as an index takes.
CREATE VIEW listing_score_part AS
SELECT c.sample_pk, c.scorer, '=' || c.scorer || '.' || p."key" AS "key",
       CASE WHEN p.type IN ('integer', 'real', 'true', 'false') THEN CAST(p.value AS REAL) END AS value,
       CASE WHEN p.type IN ('text', 'object', 'array') THEN substr(p.value, 1, 100) WHEN p.type = 'null' THEN 'null' END AS rest
FROM score c, json_each(c.value) p
WHERE NOT c.is_intermediate AND substr(c.value, 1, 1) = '{' AND substr(c.value, 4001, 1) = '' AND substr(p."key", 201, 1) = ''
      AND NOT EXISTS (SELECT 1 FROM score o WHERE o.sample_pk = c.sample_pk AND o.scorer = c.scorer || '.' || p."key");

INSERT OR IGNORE INTO listing_score (no, "key", eval_no, status, scorer, value, rest)
SELECT r.no, p."key", r.eval_no, r.status, p.scorer, p.value, p.rest
FROM listing_score r JOIN listing_sample l ON l.no = r.no JOIN listing_score_part p ON p.sample_pk = l.sample_pk AND p.scorer = r.scorer
WHERE r."key" = '=' || r.scorer AND substr(r.rest, 1, 1) = '{';

CREATE TRIGGER listing_score_part_insert AFTER INSERT ON listing_score
WHEN NEW."key" = '=' || NEW.scorer AND substr(NEW.rest, 1, 1) = '{' BEGIN
    INSERT OR IGNORE INTO listing_score (no, "key", eval_no, status, scorer, value, rest)
    SELECT NEW.no, p."key", NEW.eval_no, NEW.status, p.scorer, p.value, p.rest
    FROM listing_sample l JOIN listing_score_part p ON p.sample_pk = l.sample_pk AND p.scorer = NEW.scorer
    WHERE l.no = NEW.no;
END;
