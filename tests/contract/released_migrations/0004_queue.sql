-- The queue for where there is no Redis, and what redriving and repeated transactions need.

CREATE SEQUENCE jobs_place;
CREATE TABLE jobs (
    id       text PRIMARY KEY,
    body     text NOT NULL,
    state    text NOT NULL CHECK (state IN ('visible', 'delayed', 'in_flight', 'dead')),
    place    bigint NOT NULL DEFAULT nextval('jobs_place'),
    due_at   timestamptz,
    sent_at  timestamptz NOT NULL,
    receives integer NOT NULL DEFAULT 0,
    token    text,
    error    text
);
ALTER SEQUENCE jobs_place OWNED BY jobs.place;
COMMENT ON TABLE jobs IS 'the queue with QUEUE_BACKEND=postgres; empty otherwise';
COMMENT ON COLUMN jobs.place IS 'order among the visible jobs';
COMMENT ON COLUMN jobs.due_at IS 'when a delay or a visibility timeout ends, or when a dead job died; null while it is visible';
COMMENT ON COLUMN jobs.token IS 'of the current delivery, while it is in flight';
CREATE INDEX jobs_visible ON jobs (place) WHERE state = 'visible';
CREATE INDEX jobs_due ON jobs (due_at) WHERE state IN ('delayed', 'in_flight');
CREATE INDEX jobs_dead ON jobs (due_at) WHERE state = 'dead';

ALTER TABLE batches ADD COLUMN attempt_id text;
COMMENT ON COLUMN batches.attempt_id IS 'names the delivery that holds the lease; its worker made it';

ALTER TABLE media
    ADD COLUMN reopened boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT media_reopened_is_a_machines_review
        CHECK (NOT reopened OR (moderation_status = 'review' AND decided_by IS NULL));
COMMENT ON COLUMN media.reopened IS 'automatic moderation could not finish and looks once more; a person may decide first';
CREATE INDEX media_unfinished ON media (batch_id)
    WHERE moderation_status = 'review' AND moderation_error IS NOT NULL AND decided_by IS NULL;
