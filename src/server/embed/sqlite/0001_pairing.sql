-- What the database belongs to, a row for each kind: the store with its id, and the identity provider that it was served
-- with last.
CREATE TABLE pairing (
    kind  TEXT NOT NULL PRIMARY KEY CHECK (kind IN ('store', 'provider')),
    id    TEXT NOT NULL,
    place TEXT NOT NULL -- for people: where it was seen last
) STRICT;
