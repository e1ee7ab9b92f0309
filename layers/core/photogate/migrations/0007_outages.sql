-- Batches that wait for a part that is down: no delivery is counted for it.
ALTER TABLE batches
    ADD COLUMN waits_for text,
    ADD COLUMN put_off integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN batches.waits_for IS 'the part that was down at the last delivery: storage or faces';
COMMENT ON COLUMN batches.put_off IS 'how often it was put off for that, in a row';
CREATE INDEX batches_waiting ON batches (waits_for, created_at)
    WHERE waits_for IS NOT NULL AND finished_at IS NULL;
