-- The id of the data folder that has the files of the last attempt; NULL: not known.
ALTER TABLE job ADD COLUMN home TEXT;
