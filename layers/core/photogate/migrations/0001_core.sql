-- Photos, batches and what surrounds them. A `media` table of the system that
-- Photogate replaces is adopted: its rows stay, its columns are completed.

-- step: statuses of an adopted type
-- An enum stays one, for the other program's statements name it. What is added to it here can be
-- used after the commit.
DO $$
DECLARE
    kind oid := (SELECT atttypid FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
                 WHERE attrelid = to_regclass('media') AND attname = 'moderation_status'
                   AND typtype = 'e');
    status text;
BEGIN
    IF kind IS NOT NULL THEN
        FOREACH status IN ARRAY ARRAY['pending', 'approved', 'rejected', 'review'] LOOP
            EXECUTE format('ALTER TYPE %s ADD VALUE IF NOT EXISTS %L', kind::regtype, status);
        END LOOP;
    END IF;
    -- Tells later steps, and people, that this table was not made here.
    IF to_regclass('media') IS NOT NULL
       AND coalesce(obj_description(to_regclass('media')), '') NOT LIKE '%adopted by Photogate%' THEN
        EXECUTE format('COMMENT ON TABLE media IS %L', concat_ws(
            '; ', obj_description(to_regclass('media')), 'adopted by Photogate'));
    END IF;
END $$;

-- step: media
CREATE TABLE IF NOT EXISTS media (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id           text NOT NULL,
    media_type        text NOT NULL DEFAULT 'photo',
    url               text NOT NULL,
    display_order     integer NOT NULL DEFAULT 0,
    batch_id          text,
    moderation_status text NOT NULL DEFAULT 'pending',
    moderation_reason text,
    moderation_scores jsonb,
    moderated_at      timestamptz,
    retry_count       integer NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);

-- An adopted table keeps its types and its foreign keys, so that joins, cascades and views of other
-- programs go on working. But: statuses gain `review`, reasons are a person's own words, and batches
-- are ours; constraints on those columns would refuse that. And `batch_id` must hold a UUID.
DO $$
DECLARE
    refusing record;
    changes text;
BEGIN
    FOR refusing IN
        SELECT DISTINCT conname FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
        WHERE conrelid = 'media'::regclass AND contype IN ('c', 'f')
          AND attname IN ('batch_id', 'moderation_status', 'moderation_reason')
    LOOP
        EXECUTE format('ALTER TABLE media DROP CONSTRAINT %I', refusing.conname);
    END LOOP;
    SELECT string_agg(format('ALTER COLUMN %1$I DROP DEFAULT,'
                             ' ALTER COLUMN %1$I TYPE text USING %1$I::text', attname), ', ')
        INTO changes
        FROM pg_attribute
        WHERE attrelid = 'media'::regclass
          AND CASE attname
                  WHEN 'batch_id' THEN atttypid NOT IN ('text'::regtype, 'uuid'::regtype)
                      AND NOT (atttypid = 'varchar'::regtype AND atttypmod NOT BETWEEN 0 AND 39)
                  WHEN 'moderation_reason' THEN atttypid NOT IN ('text'::regtype, 'varchar'::regtype)
              END;
    IF changes IS NOT NULL THEN
        EXECUTE 'ALTER TABLE media ' || changes;
    END IF;
    -- Approved before there were statuses: the next step reads it from the nulls.
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'media'::regclass
                   AND attname = 'moderation_status' AND NOT attisdropped) THEN
        ALTER TABLE media ADD COLUMN moderation_status text;
    END IF;
END $$;

-- A default that is given with a new column costs nothing, however many rows there are.
ALTER TABLE media ADD COLUMN IF NOT EXISTS media_type        text DEFAULT 'photo';
ALTER TABLE media ADD COLUMN IF NOT EXISTS display_order     integer DEFAULT 0;
ALTER TABLE media ADD COLUMN IF NOT EXISTS batch_id          text;
ALTER TABLE media ADD COLUMN IF NOT EXISTS moderation_status text NOT NULL DEFAULT 'pending';
ALTER TABLE media ADD COLUMN IF NOT EXISTS moderation_reason text;
ALTER TABLE media ADD COLUMN IF NOT EXISTS moderation_scores jsonb;
ALTER TABLE media ADD COLUMN IF NOT EXISTS moderated_at      timestamptz;
ALTER TABLE media ADD COLUMN IF NOT EXISTS retry_count       integer NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN IF NOT EXISTS created_at        timestamptz NOT NULL DEFAULT now();
ALTER TABLE media ADD COLUMN IF NOT EXISTS updated_at        timestamptz DEFAULT now();
ALTER TABLE media ADD COLUMN IF NOT EXISTS user_name         text;
ALTER TABLE media ADD COLUMN IF NOT EXISTS etag              text;
ALTER TABLE media ADD COLUMN IF NOT EXISTS size_bytes        bigint;
ALTER TABLE media ADD COLUMN IF NOT EXISTS moderation_error  text;
ALTER TABLE media ADD COLUMN IF NOT EXISTS decided_by        text;
ALTER TABLE media ADD COLUMN IF NOT EXISTS verified_by       text;
ALTER TABLE media ADD COLUMN IF NOT EXISTS verified_at       timestamptz;

-- What another program writes as a status: nothing where `is_approved` says it, or `failed`, after
-- which the machine looks once more, and where it has looked before, a person.
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

-- From here on nothing else is written; the rows that are there follow in the next step.
ALTER TABLE media
    ALTER COLUMN moderation_status SET DEFAULT 'pending',
    ALTER COLUMN media_type SET DEFAULT 'photo',
    ALTER COLUMN retry_count SET DEFAULT 0,
    ALTER COLUMN display_order SET DEFAULT 0,
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN updated_at SET DEFAULT now(),
    ADD CONSTRAINT media_moderation_status_known
        CHECK (coalesce(media_type, 'photo') <> 'photo'
               OR moderation_status IN ('pending', 'approved', 'rejected', 'review')) NOT VALID,
    ADD CONSTRAINT media_not_null
        CHECK (coalesce(media_type, 'photo') <> 'photo'
               OR moderation_status IS NOT NULL AND retry_count IS NOT NULL
                  AND created_at IS NOT NULL) NOT VALID;

COMMENT ON COLUMN media.url IS 'the object key in the photo store';
COMMENT ON COLUMN media.etag IS 'the object as upload-complete saw it; null when the store did not answer';
COMMENT ON COLUMN media.retry_count IS 'attempts that began and did not finish in an orderly way';
COMMENT ON COLUMN media.moderation_error IS 'why automatic moderation could not finish';
COMMENT ON COLUMN media.decided_by IS 'the moderator who decided; null for a machine';

-- step: adopted rows (in batches over media)
-- What the predecessor left pending or failed is moderated like everything else: see 0016.
UPDATE media SET
    moderation_status = CASE WHEN moderation_status IN ('approved', 'rejected', 'review')
                             THEN moderation_status
                             WHEN moderation_status IS NULL
                                  AND to_jsonb(media)->>'is_approved' = 'true'
                             THEN 'approved' ELSE 'pending' END,
    retry_count = 0,
    media_type = coalesce(media_type, 'photo'),
    display_order = coalesce(display_order, 0),
    created_at = coalesce(created_at, now()),
    updated_at = coalesce(updated_at, now())
WHERE ctid >= :from AND ctid < :until
  AND coalesce(media_type, 'photo') = 'photo'
  AND (moderation_status IS NULL
       OR moderation_status NOT IN ('pending', 'approved', 'rejected', 'review')
       OR retry_count IS DISTINCT FROM 0 OR media_type IS NULL OR display_order IS NULL
       OR created_at IS NULL OR updated_at IS NULL);

-- step: known statuses
ALTER TABLE media VALIDATE CONSTRAINT media_moderation_status_known;
ALTER TABLE media VALIDATE CONSTRAINT media_not_null;

-- step: no nulls
-- A table that was made here has none anyway. In an adopted one that holds for photos.
DO $$
BEGIN
    IF coalesce(obj_description('media'::regclass), '') NOT LIKE '%adopted by Photogate%' THEN
        ALTER TABLE media DROP CONSTRAINT media_not_null;
    END IF;
END $$;

-- step: media_id_text (outside a transaction)
-- Ids are uuids here and may be integers in an adopted table: the code compares them as text.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS media_id_text ON media (CAST(id AS text));
-- step: media_user (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_user ON media (CAST(user_id AS text), created_at DESC);
-- step: media_batch (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_batch ON media (CAST(batch_id AS text));
-- step: media_status (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_status ON media (moderation_status, created_at);
-- step: media_created (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_created ON media (created_at DESC);
-- step: media_moderated (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_moderated ON media (moderated_at)
    WHERE moderated_at IS NOT NULL;

-- step: tables beside media
CREATE TABLE batches (
    id               text PRIMARY KEY,
    user_id          text NOT NULL,
    file_keys        text[] NOT NULL,
    generation       integer NOT NULL DEFAULT 1,
    correlation_id   text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    deliveries       integer NOT NULL DEFAULT 0,
    last_error       text,
    lease_job_id     text,
    lease_until      timestamptz,
    next_enqueue_at  timestamptz NOT NULL DEFAULT now() + interval '30 seconds',
    enqueue_interval interval NOT NULL DEFAULT interval '1 minute'
);
COMMENT ON TABLE batches IS 'one row per upload-complete; while it is not finished it is also the outbox entry of its job';
CREATE INDEX batches_user ON batches (user_id);
CREATE INDEX batches_due ON batches (next_enqueue_at) WHERE finished_at IS NULL;
CREATE INDEX batches_open ON batches (created_at) WHERE finished_at IS NULL;

CREATE TABLE upload_usage (
    batch_id   text PRIMARY KEY,
    user_id    text NOT NULL,
    photos     integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE upload_usage IS 'the rate limit''s ledger; deleting photos gives nothing back';
CREATE INDEX upload_usage_window ON upload_usage (user_id, created_at);

CREATE TABLE object_deletions (
    file_key   text PRIMARY KEY,
    media_id   text NOT NULL,
    user_id    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
COMMENT ON TABLE object_deletions IS 'objects of deleted photos; removed once more when no signed URL can bring them back';

CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL,
    actor_role text NOT NULL,
    action     text NOT NULL,
    media_id   text NOT NULL,
    user_id    text NOT NULL,
    before     jsonb NOT NULL,
    after      jsonb NOT NULL
);
CREATE INDEX audit_log_media ON audit_log (media_id, at);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END $$;
CREATE TRIGGER audit_log_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();

CREATE TABLE workers (
    id            text PRIMARY KEY,
    host          text NOT NULL,
    pid           integer NOT NULL,
    model         text NOT NULL,
    started_at    timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL DEFAULT now(),
    last_photo_at timestamptz
);
