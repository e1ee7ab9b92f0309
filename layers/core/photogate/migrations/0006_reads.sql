-- Reads that cost the same however large the tables are, and what removes old rows.

-- step: newest photos (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_newest ON media (created_at, id);

-- step: newest photos of a status (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_status_newest
    ON media (moderation_status, created_at, id);

-- step: newest photos of a user (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_user_newest
    ON media (CAST(user_id AS text), created_at DESC, display_order, id);

-- step: finished batches (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS batches_finished ON batches (finished_at)
    WHERE finished_at IS NOT NULL;

-- step: usage by age (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS upload_usage_created ON upload_usage (created_at);

-- step: closed review items (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS review_items_closed ON review_items (closed_at)
    WHERE closed_at IS NOT NULL;

-- step: indexes that these replace
DROP INDEX IF EXISTS media_created, media_status, media_user;

-- step: counts by hour
-- How many photos were moderated last in each hour, by their present state: always what
-- GROUP BY over media would say. A trigger keeps it, so that versions and programs which know
-- nothing of it are counted too. Connections spread over shards, so as not to wait for each other.
CREATE TABLE hourly_counts (
    hour   timestamptz NOT NULL,
    shard  integer NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    failed boolean NOT NULL,
    n      bigint NOT NULL,
    PRIMARY KEY (hour, status, reason, failed, shard)
) WITH (fillfactor = 50);
COMMENT ON TABLE hourly_counts IS 'photos by the hour of moderated_at, for two days; add the shards up';
COMMENT ON COLUMN hourly_counts.reason IS 'a code; other for words of a person''s own, empty for none';
COMMENT ON COLUMN hourly_counts.failed IS 'automatic moderation could not finish';

CREATE FUNCTION counted_reason(reason text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN reason IS NULL THEN '' WHEN reason ~ '^[a-z_]{1,32}$' THEN reason
                ELSE 'other' END
$$;

CREATE FUNCTION count_in_hour(moderated timestamptz, state text, why text, failure boolean,
                              more bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO hourly_counts AS kept (hour, shard, status, reason, failed, n)
        SELECT date_trunc('hour', moderated, 'UTC'), pg_backend_pid() % 16, state, why, failure,
               more
        WHERE moderated > now() - interval '2 days'
        ON CONFLICT (hour, status, reason, failed, shard) DO UPDATE SET n = kept.n + excluded.n
$$;

-- The triggers run as their owner: whoever may change photos needs no right on the counts.
CREATE FUNCTION media_updated_in_hour() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- In one order, so that two transactions on one shard cannot wait for each other in a circle.
    PERFORM count_in_hour(moderated_at, status, reason, failed, more) FROM (
        SELECT moderated_at, CAST(moderation_status AS text) AS status,
               counted_reason(moderation_reason) AS reason,
               moderation_error IS NOT NULL AS failed, sum(n) AS more
        FROM (SELECT moderated_at, moderation_status, moderation_reason, moderation_error, -1 AS n
              FROM changed_from WHERE media_type = 'photo'
              UNION ALL
              SELECT moderated_at, moderation_status, moderation_reason, moderation_error, 1
              FROM changed_to WHERE media_type = 'photo') AS changed
        WHERE moderated_at IS NOT NULL
        GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4
    ) AS counted;
    RETURN NULL;
END $$;
CREATE TRIGGER media_updated_in_hour AFTER UPDATE ON media
    REFERENCING OLD TABLE AS changed_from NEW TABLE AS changed_to
    FOR EACH STATEMENT EXECUTE FUNCTION media_updated_in_hour();

CREATE FUNCTION media_come_or_gone_in_hour() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    photo media := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF photo.media_type = 'photo' THEN
        PERFORM count_in_hour(
            photo.moderated_at, CAST(photo.moderation_status AS text),
            counted_reason(photo.moderation_reason), photo.moderation_error IS NOT NULL,
            CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER media_gone_in_hour AFTER DELETE ON media
    FOR EACH ROW WHEN (OLD.moderated_at IS NOT NULL)
    EXECUTE FUNCTION media_come_or_gone_in_hour();
-- Ours come without; another program's may have been moderated before.
CREATE TRIGGER media_come_in_hour AFTER INSERT ON media
    FOR EACH ROW WHEN (NEW.moderated_at IS NOT NULL)
    EXECUTE FUNCTION media_come_or_gone_in_hour();

-- Nobody else writes photos meanwhile: making the triggers keeps them out until the commit.
INSERT INTO hourly_counts (hour, shard, status, reason, failed, n)
    SELECT date_trunc('hour', moderated_at, 'UTC'), 0, moderation_status,
           counted_reason(moderation_reason), moderation_error IS NOT NULL, count(*)
    FROM media WHERE media_type = 'photo' AND moderated_at > now() - interval '2 days'
    GROUP BY 1, 3, 4, 5;
