-- Copies that fail for one photo only are counted, so that a person looks in the end.

ALTER TABLE media ADD COLUMN copies_failures integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN media.copies_attempts IS 'attempts at copies that began and did not end in an orderly way';
COMMENT ON COLUMN media.copies_failures IS 'attempts at copies that ended with an error while others worked';
