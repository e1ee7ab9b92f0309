-- What is shown is a copy that we made from the bytes that were judged.

-- step: columns
ALTER TABLE media
    ADD COLUMN upload_key      text,
    ADD COLUMN original_key    text,
    ADD COLUMN display_key     text,
    ADD COLUMN copies_due_at   timestamptz,
    ADD COLUMN copies_lease_until timestamptz,
    ADD COLUMN copies_attempts integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN media.url IS 'what may be shown: the key of the display copy of an approved photo, else one under which nothing is; in rows without upload_key what the client uploaded';
COMMENT ON COLUMN media.upload_key IS 'what the client handed in; null in rows of the earlier layout, which have it in url';
COMMENT ON COLUMN media.original_key IS 'the bytes that were judged, or are to be; null once they were removed';
COMMENT ON COLUMN media.display_key IS 'the copy that others may see once the photo is approved; null until it was made';
COMMENT ON COLUMN media.copies_due_at IS 'when a job that makes copies is to be sent (again); null when none is wanted';
COMMENT ON COLUMN media.copies_lease_until IS 'until then a worker makes them';
COMMENT ON COLUMN media.copies_attempts IS 'attempts at copies that began';

CREATE TABLE upload_urls (
    file_key     text PRIMARY KEY,
    user_id      text NOT NULL,
    size_bytes   bigint NOT NULL,
    expires_at   timestamptz NOT NULL,
    handed_in_at timestamptz,
    wanted       boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE upload_urls IS 'uploads that may be under way; a row goes with its object, once that can neither come again nor is wanted';
COMMENT ON COLUMN upload_urls.size_bytes IS 'as signed; the largest allowed where none was';
COMMENT ON COLUMN upload_urls.wanted IS 'handed in, and no worker has kept its bytes yet';
CREATE INDEX upload_urls_open ON upload_urls (user_id, expires_at) WHERE handed_in_at IS NULL;
CREATE INDEX upload_urls_over ON upload_urls (expires_at) WHERE NOT wanted;

-- Uploads that were never handed in have no photo.
ALTER TABLE object_deletions ALTER COLUMN media_id DROP NOT NULL;

-- step: copies due (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_copies_due ON media (copies_due_at)
    WHERE copies_due_at IS NOT NULL;

-- step: earlier layout (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_earlier_layout ON media (created_at)
    WHERE upload_key IS NULL AND copies_attempts = 0 AND copies_due_at IS NULL;

-- step: kept originals (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS media_originals ON media (moderated_at)
    WHERE original_key IS NOT NULL AND display_key IS NOT NULL AND moderation_status = 'approved';
