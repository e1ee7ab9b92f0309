-- Test photos: a marker in their bytes named the verdict. They are marked for good, and in no figure.

-- One table in a step: others lock them in other orders.

-- step: marks of photos
ALTER TABLE media ADD COLUMN test boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN media.test IS 'a marker in its bytes gave it a verdict once: it is in no figure';

CREATE FUNCTION is_of_test_photo() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    NEW.test := EXISTS (SELECT FROM media WHERE CAST(id AS text) = NEW.photo_id AND test);
    RETURN NEW;
END $$;

-- step: marks of items
ALTER TABLE review_items ADD COLUMN test boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN review_items.test IS 'of a photo that a marker gave a verdict';
-- Whoever adds the row: this program, an older version of it, or a trigger for another program.
CREATE TRIGGER review_items_of_test_photos BEFORE INSERT ON review_items
    FOR EACH ROW EXECUTE FUNCTION is_of_test_photo();

-- step: marks of changes
ALTER TABLE history ADD COLUMN test boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN history.test IS 'of a photo that a marker gave a verdict';
-- What this program writes says it itself.
CREATE TRIGGER history_of_test_photos BEFORE INSERT ON history
    FOR EACH ROW WHEN (NEW.by = 'other') EXECUTE FUNCTION is_of_test_photo();

-- step: counts without them
-- As 0006 and 0016 have it, without test photos.
CREATE OR REPLACE FUNCTION media_updated_in_hour() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- In one order, so that two transactions on one shard cannot wait for each other in a circle.
    PERFORM count_in_hour(moderated_at, status, reason, failed, more) FROM (
        SELECT moderated_at, CAST(moderation_status AS text) AS status,
               counted_reason(moderation_reason) AS reason,
               moderation_error IS NOT NULL AS failed, sum(n) AS more
        FROM (SELECT moderated_at, moderation_status, moderation_reason, moderation_error, -1 AS n
              FROM changed_from WHERE media_type = 'photo' AND NOT test
              UNION ALL
              SELECT moderated_at, moderation_status, moderation_reason, moderation_error, 1
              FROM changed_to WHERE media_type = 'photo' AND NOT test) AS changed
        WHERE moderated_at IS NOT NULL
        GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4
    ) AS counted;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION media_come_or_gone_in_hour() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    photo media := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF photo.media_type = 'photo' AND NOT photo.test THEN
        PERFORM count_in_hour(
            photo.moderated_at, CAST(photo.moderation_status AS text),
            counted_reason(photo.moderation_reason), photo.moderation_error IS NOT NULL,
            CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END);
    END IF;
    RETURN NULL;
END $$;

-- step: newest photos, with their mark (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_photos_newest_marked ON media (created_at, id)
    INCLUDE (test) WHERE media_type = 'photo';

-- step: newest photos of a status, with their mark (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_photos_status_newest_marked
    ON media (moderation_status, created_at, id) INCLUDE (test) WHERE media_type = 'photo';

-- step: newest test photos (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_test ON media (created_at, id) WHERE test;

-- step: indexes that these replace
DROP INDEX IF EXISTS media_photos_newest, media_photos_status_newest;
