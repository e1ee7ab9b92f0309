-- Photogate and another program work on one table of photos: the other one's reads and writes keep
-- their meaning, and only photos are moderated.

-- step: what another program writes
-- As 0001 and 0006 have it since; tables that were adopted before get it here.
CREATE OR REPLACE FUNCTION media_known_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.moderation_status IS NULL AND to_jsonb(NEW)->>'is_approved' = 'true' THEN
        NEW.moderation_status := 'approved';
    ELSIF TG_OP = 'UPDATE' AND OLD.moderation_status IN ('approved', 'rejected', 'review') THEN
        NEW.moderation_status := 'review';
    ELSE
        NEW.moderation_status := 'pending';
    END IF;
    -- Its count of attempts is not ours.
    NEW.retry_count := CASE TG_OP WHEN 'UPDATE' THEN OLD.retry_count ELSE 0 END;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER media_adopts_status BEFORE INSERT OR UPDATE ON media
    FOR EACH ROW
    WHEN (coalesce(NEW.media_type, 'photo') = 'photo'
          AND (NEW.moderation_status IS NULL OR CAST(NEW.moderation_status AS text)
               NOT IN ('pending', 'approved', 'rejected', 'review')))
    EXECUTE FUNCTION media_known_status();

CREATE OR REPLACE FUNCTION media_updated_in_hour() RETURNS trigger LANGUAGE plpgsql
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

CREATE OR REPLACE FUNCTION media_come_or_gone_in_hour() RETURNS trigger LANGUAGE plpgsql
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

-- Other rows than photos have whatever status the other program gives them.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'media_moderation_status_known'
                   AND conrelid = 'media'::regclass
                   AND pg_get_constraintdef(oid) LIKE '%media_type%') THEN
        ALTER TABLE media DROP CONSTRAINT media_moderation_status_known;
        ALTER TABLE media ADD CONSTRAINT media_moderation_status_known
            CHECK (coalesce(media_type, 'photo') <> 'photo'
                   OR moderation_status IN ('pending', 'approved', 'rejected', 'review')) NOT VALID;
    END IF;
END $$;

-- A value for a column whose type is another program's: an enum, or a text of limited length. A
-- person's own words are whole in history_words.
DO $$
DECLARE
    status text := (SELECT format_type(atttypid, atttypmod) FROM pg_attribute
                    WHERE attrelid = 'media'::regclass AND attname = 'moderation_status');
    reason text := (SELECT format_type(atttypid, atttypmod) FROM pg_attribute
                    WHERE attrelid = 'media'::regclass AND attname = 'moderation_reason');
BEGIN
    EXECUTE format('CREATE FUNCTION media_status(value text) RETURNS %1$s LANGUAGE sql'
                   ' STABLE AS $f$ SELECT CAST(value AS %1$s) $f$', status);
    EXECUTE format('CREATE FUNCTION media_reason(value text) RETURNS text LANGUAGE sql'
                   ' STABLE AS $f$ SELECT CAST(CAST(value AS %s) AS text) $f$', reason);
END $$;

-- A user's name from another program's table, where there is one.
DO $$
DECLARE
    name text := (SELECT attname FROM unnest(ARRAY['display_name', 'user_name', 'username',
                      'full_name', 'name', 'first_name']) WITH ORDINALITY AS wanted (attname, place)
                  JOIN pg_attribute USING (attname)
                  WHERE attrelid = to_regclass('users') AND NOT attisdropped
                  ORDER BY place LIMIT 1);
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('users')
                   AND attname = 'id' AND NOT attisdropped) THEN
        name := NULL;
    END IF;
    -- An id that is of no such type is no id of that table.
    EXECUTE format(
        'CREATE FUNCTION media_user_name(wanted text) RETURNS text LANGUAGE plpgsql STABLE'
        ' SECURITY DEFINER SET search_path FROM CURRENT AS $f$ BEGIN RETURN %s; %s END $f$',
        CASE WHEN name IS NULL THEN 'NULL' ELSE format(
            '(SELECT left(CAST(%I AS text), 200) FROM users WHERE id = CAST(wanted AS %s))', name,
            (SELECT format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = to_regclass('users') AND attname = 'id')) END,
        CASE WHEN name IS NOT NULL THEN 'EXCEPTION WHEN invalid_text_representation'
             ' OR numeric_value_out_of_range THEN RETURN NULL;' END);
END $$;

-- Which batch a photo belongs to that another program handed in: one of one user, of nine photos
-- at most; the one that it names if it can. A batch is moderated while it is not finished.
CREATE FUNCTION media_batch_for(batch text, owner text, key text) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    candidate text;
BEGIN
    -- Twenty times nine under one name; further ones stand alone.
    FOR turn IN 0..20 LOOP
        candidate := CASE
            WHEN batch IS NULL OR batch = '00000000-0000-0000-0000-000000000000' OR turn = 20
                THEN CAST(gen_random_uuid() AS text)
            WHEN turn = 0 THEN batch
            ELSE CAST(CAST(md5(concat_ws('/', batch, owner, turn)) AS uuid) AS text) END;
        INSERT INTO batches AS kept (id, user_id, file_keys, next_enqueue_at)
            VALUES (candidate, owner, ARRAY[key], now())
            ON CONFLICT (id) DO UPDATE SET file_keys = CASE
                WHEN key = ANY (kept.file_keys) THEN kept.file_keys
                ELSE array_append(kept.file_keys, key) END
            WHERE kept.user_id = owner AND kept.finished_at IS NULL
              AND (cardinality(kept.file_keys) < 9
                   OR cardinality(kept.file_keys) = 9 AND key = ANY (kept.file_keys));
        IF FOUND THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no batch for %', key;
END $$;

-- What another program inserts. Photogate's own rows have an upload key.
CREATE FUNCTION media_come_from_other() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    NEW.retry_count := 0;
    NEW.user_name := coalesce(NEW.user_name, media_user_name(CAST(NEW.user_id AS text)));
    IF NEW.moderation_status = 'review' THEN
        INSERT INTO review_items (photo_id, kind) VALUES (CAST(NEW.id AS text), 'doubt')
            ON CONFLICT DO NOTHING;
    ELSIF NEW.moderation_status = 'pending' THEN
        NEW.batch_id := media_batch_for(
            CAST(NEW.batch_id AS text), CAST(NEW.user_id AS text), CAST(NEW.url AS text));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER media_come_from_other BEFORE INSERT ON media
    FOR EACH ROW WHEN (NEW.upload_key IS NULL AND NEW.media_type = 'photo')
    EXECUTE FUNCTION media_come_from_other();

-- What it puts into another batch while it waits, as backends do that insert first and group later.
CREATE FUNCTION media_moved_by_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.batch_id := media_batch_for(
        CAST(NEW.batch_id AS text), CAST(NEW.user_id AS text),
        CAST(coalesce(NEW.upload_key, NEW.url) AS text));
    RETURN NEW;
END $$;
CREATE TRIGGER media_moved_by_other BEFORE UPDATE ON media
    FOR EACH ROW
    WHEN (NEW.moderation_status = 'pending' AND NEW.media_type = 'photo'
          AND (NEW.batch_id IS DISTINCT FROM OLD.batch_id OR NEW.user_id <> OLD.user_id))
    EXECUTE FUNCTION media_moved_by_other();

-- What it deletes, or a foreign key with it: nobody waits for it any more, and our objects go. The one
-- that it named itself is its own to remove.
CREATE FUNCTION media_gone() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE review_items SET closed_at = now(), note = NULL
        WHERE photo_id = CAST(OLD.id AS text) AND closed_at IS NULL;
    INSERT INTO object_deletions (file_key, media_id, user_id)
        SELECT key, CAST(OLD.id AS text), CAST(OLD.user_id AS text) FROM (
            SELECT OLD.original_key AS key WHERE OLD.original_key LIKE 'kept/%'
            UNION SELECT OLD.upload_key WHERE OLD.upload_key LIKE 'incoming/%'
            UNION SELECT replace(OLD.display_key, '/display/', '/' || name || '/')
                FROM unnest(ARRAY['display', 'thumb', 'preview']) AS name
                WHERE OLD.display_key IS NOT NULL
            UNION SELECT concat('copies/', name, '/', substr(OLD.original_key, 6), '.', suffix)
                FROM unnest(ARRAY['display', 'thumb', 'preview']) AS name,
                     unnest(ARRAY['jpg', 'webp']) AS suffix
                WHERE OLD.original_key LIKE 'kept/%') AS ours
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER media_gone AFTER DELETE ON media
    FOR EACH ROW WHEN (OLD.media_type = 'photo')
    EXECUTE FUNCTION media_gone();

-- What another program changes: recorded, and followed by all that follows from a change.
CREATE OR REPLACE FUNCTION media_changed_by_other() RETURNS trigger LANGUAGE plpgsql
-- The other program's role need not know these tables.
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    subject bigint;
BEGIN
    IF NEW.media_type <> 'photo' THEN
        RETURN NEW;
    END IF;
    IF NEW.moderation_status IS NOT DISTINCT FROM OLD.moderation_status THEN
        -- Then it wrote is_approved.
        NEW.moderation_status := CASE
            WHEN to_jsonb(NEW)->>'is_approved' = 'true' THEN 'approved'
            WHEN OLD.moderation_status = 'approved' THEN 'rejected'
            ELSE CAST(OLD.moderation_status AS text) END;
        IF NEW.moderation_status IS NOT DISTINCT FROM OLD.moderation_status THEN
            RETURN NEW;
        END IF;
    END IF;
    IF NEW.moderation_status = 'pending' AND OLD.decided_by IS NOT NULL THEN
        -- No machine looks again at what a person decided.
        NEW.moderation_status := 'review';
    END IF;
    NEW.changes := OLD.changes + 1;
    NEW.undo := NULL;
    NEW.reopened := false;
    NEW.decided_by := NULL;
    NEW.verified_by := NULL;
    NEW.verified_at := NULL;
    NEW.moderation_error := NULL;
    IF NEW.moderation_status = 'approved' THEN
        NEW.moderation_reason := NULL;
    END IF;
    IF NEW.moderation_status IN ('approved', 'rejected')
       AND NEW.moderated_at IS NOT DISTINCT FROM OLD.moderated_at THEN
        NEW.moderated_at := now();
    END IF;
    IF NEW.moderation_status = 'pending' THEN
        NEW.retry_count := 0;
        NEW.batch_id := media_batch_for(CAST(NEW.batch_id AS text), CAST(NEW.user_id AS text),
                                        CAST(coalesce(NEW.upload_key, NEW.url) AS text));
    END IF;
    IF NEW.upload_key IS NOT NULL THEN
        -- As Photogate's own changes have it: an approved photo's copy, or a key of nothing.
        IF NEW.moderation_status = 'approved' AND NEW.display_key IS NOT NULL THEN
            NEW.url := NEW.display_key;
        ELSIF NEW.url NOT LIKE 'withheld/%' THEN
            NEW.url := 'withheld/' || gen_random_uuid();
        END IF;
        IF NEW.moderation_status = 'approved' AND NEW.display_key IS NULL THEN
            NEW.copies_due_at := coalesce(NEW.copies_due_at, now());
        END IF;
    END IF;
    INSERT INTO subjects (user_id) VALUES (CAST(OLD.user_id AS text)) ON CONFLICT DO NOTHING;
    SELECT id INTO subject FROM subjects WHERE user_id = CAST(OLD.user_id AS text);
    INSERT INTO history (photo_id, n, action, by, owner, before, after)
        VALUES (CAST(OLD.id AS text), NEW.changes, 'set', 'other', subject,
                OLD.moderation_status, NEW.moderation_status);
    IF NEW.moderation_status = 'review' THEN
        INSERT INTO review_items (photo_id, kind) VALUES (CAST(OLD.id AS text), 'doubt')
            ON CONFLICT DO NOTHING;
    ELSE
        UPDATE review_items SET closed_at = now() WHERE photo_id = CAST(OLD.id AS text)
            AND kind <> 'sample' AND closed_at IS NULL;
    END IF;
    RETURN NEW;
END $$;

-- In whose table `is_approved` is, there it says the same as the status: true from the commit that
-- makes an approved photo's copy available (or, where no copy is shown yet, the photo itself),
-- false from the commit that rejects or withdraws. Of what waits it keeps what it said.
CREATE FUNCTION media_is_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.media_type <> 'photo' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.upload_key IS NOT NULL OR NEW.moderation_status = 'rejected' THEN
            NEW.is_approved := false;
        END IF;
    ELSIF NEW.moderation_status <> 'pending' OR OLD.moderation_status <> 'pending' THEN
        NEW.is_approved := NEW.moderation_status = 'approved'
            AND (NEW.upload_key IS NULL OR NEW.display_key IS NOT NULL);
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER media_changed_by_other ON media;
DO $$
DECLARE
    has_flag boolean := EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'media'::regclass
                                AND attname = 'is_approved' AND NOT attisdropped);
BEGIN
    -- BEFORE triggers run in the order of their names: a known status, the change, the flag.
    EXECUTE format(
        'CREATE TRIGGER media_changed_by_other BEFORE UPDATE ON media FOR EACH ROW WHEN ('
        '    NEW.changes = OLD.changes'
        '    AND (NEW.moderation_status IS DISTINCT FROM OLD.moderation_status %s))'
        ' EXECUTE FUNCTION media_changed_by_other()',
        CASE WHEN has_flag THEN 'OR NEW.is_approved IS DISTINCT FROM OLD.is_approved' END);
    IF has_flag THEN
        CREATE TRIGGER media_is_approved BEFORE INSERT OR UPDATE ON media
            FOR EACH ROW EXECUTE FUNCTION media_is_approved();
    END IF;
END $$;

-- step: known statuses of photos
ALTER TABLE media VALIDATE CONSTRAINT media_moderation_status_known;

-- step: batches of adopted photos (in batches over media)
-- Photos that wait, of which no batch would be moderated: all that were just adopted, and those of
-- an earlier adoption that share a batch with another user or with more than eight others.
UPDATE media SET
    -- The type may be uuid: a record takes it from its text.
    batch_id = (jsonb_populate_record(CAST(NULL AS media), jsonb_build_object('batch_id',
        media_batch_for(CAST(batch_id AS text), CAST(user_id AS text),
                        CAST(coalesce(upload_key, url) AS text))))).batch_id,
    user_name = coalesce(user_name, media_user_name(CAST(user_id AS text)))
WHERE ctid >= :from AND ctid < :until
  AND moderation_status = 'pending' AND media_type = 'photo'
  AND NOT EXISTS (
      SELECT FROM batches
      WHERE batches.id = CAST(batch_id AS text) AND batches.user_id = CAST(media.user_id AS text)
        AND finished_at IS NULL AND coalesce(upload_key, url) = ANY (file_keys)
        AND cardinality(file_keys) <= 9
        AND batches.id <> '00000000-0000-0000-0000-000000000000');

-- step: flags and names of adopted photos (in batches over media)
-- The trigger sets is_approved. Tables without it, and without users, are not looked through.
UPDATE media SET user_name = coalesce(user_name, media_user_name(CAST(user_id AS text)))
WHERE ctid >= :from AND ctid < :until AND media_type = 'photo'
  AND ((SELECT count(*) FROM pg_attribute WHERE attrelid = 'media'::regclass
        AND attname = 'is_approved' AND NOT attisdropped) > 0
       AND moderation_status <> 'pending'
       AND to_jsonb(media)->>'is_approved' IS DISTINCT FROM
           CASE WHEN moderation_status = 'approved'
                     AND (upload_key IS NULL OR display_key IS NOT NULL)
                THEN 'true' ELSE 'false' END
       OR (SELECT to_regclass('users')) IS NOT NULL AND user_name IS NULL
          AND media_user_name(CAST(user_id AS text)) IS NOT NULL);

-- step: batches that are empty now
DELETE FROM batches
WHERE finished_at IS NULL
  AND (cardinality(file_keys) > 9 OR id = '00000000-0000-0000-0000-000000000000')
  AND NOT EXISTS (SELECT FROM media WHERE CAST(batch_id AS text) = batches.id
                  AND moderation_status = 'pending' AND media_type = 'photo');

-- step: items of what is no photo
UPDATE review_items SET closed_at = now()
WHERE closed_at IS NULL AND EXISTS (SELECT FROM media
    WHERE CAST(id AS text) = photo_id AND media_type <> 'photo');

-- step: newest photos (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_photos_newest ON media (created_at, id)
    WHERE media_type = 'photo';

-- step: newest photos of a status (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_photos_status_newest
    ON media (moderation_status, created_at, id) WHERE media_type = 'photo';

-- step: newest photos of a user (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_photos_user_newest
    ON media (CAST(user_id AS text), created_at DESC, display_order, id)
    WHERE media_type = 'photo';

-- step: indexes that these replace
DROP INDEX IF EXISTS media_newest, media_status_newest, media_user_newest;
