-- Pages of the history and of rejected photos cost the same however large the tables are.

-- step: history, newest first (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS history_newest ON history (at, photo_id, n);

-- step: history of a user's photos (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS history_of_owner ON history (owner, at, photo_id, n);

-- step: what people did (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS history_by_people ON history (at, photo_id, n)
    WHERE by = 'person';

-- step: what one person did (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS history_of_person ON history (person, at, photo_id, n)
    WHERE person IS NOT NULL;

-- step: history of rare actions (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS history_of_action ON history (action, at, photo_id, n)
    WHERE action <> 'judge';

-- step: history of a reason (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS history_of_reason ON history (reason, at, photo_id, n)
    WHERE reason IS NOT NULL;

-- step: rejections that nobody has confirmed (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_unverified ON media (created_at, id)
    WHERE moderation_status = 'rejected' AND verified_by IS NULL;

-- step: rejections of a reason (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_rejected_for
    ON media (counted_reason(moderation_reason), created_at, id)
    WHERE moderation_status = 'rejected';
