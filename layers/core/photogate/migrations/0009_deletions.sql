-- What the sweep knows of its work: which jobs the queue should hold, which deletions failed, and
-- that one round runs at a time.

ALTER TABLE batches ADD COLUMN queued boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN batches.queued IS 'its job was sent; false again when the job was taken out of the queue without verdicts';
UPDATE batches SET queued = true
    WHERE finished_at IS NULL AND enqueue_interval > interval '1 minute';
CREATE INDEX batches_unsent ON batches (next_enqueue_at) WHERE finished_at IS NULL AND NOT queued;

ALTER TABLE object_deletions
    ADD COLUMN attempts    integer NOT NULL DEFAULT 0,
    ADD COLUMN next_try_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN object_deletions.attempts IS 'that failed in a row';
CREATE INDEX object_deletions_due ON object_deletions (attempts, next_try_at);

CREATE TABLE sweeps (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    holder     text,
    held_until timestamptz,
    ended_at   timestamptz
);
COMMENT ON TABLE sweeps IS 'one row: which sweep is at work, and when a round ended last';
