-- One row for every change of a photo, by machine or person; and what waits for people.

-- step: history
-- History names subjects, not users: who is erased is erased here, and the history stays whole.
CREATE TABLE subjects (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL UNIQUE
);

CREATE TABLE history (
    photo_id       text NOT NULL,
    n              integer NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    call           uuid,
    action         text NOT NULL,
    by             text NOT NULL,
    person         bigint,
    role           text,
    owner          bigint NOT NULL,
    generation     integer,
    before         text NOT NULL,
    after          text,
    reason         text,
    failed         boolean NOT NULL DEFAULT false,
    rule           text,
    value          double precision,
    bound          double precision,
    policy         text,
    model          text,
    correlation_id text,
    PRIMARY KEY (photo_id, n)
);
COMMENT ON TABLE history IS 'append-only; see photogate.domain.changes';
COMMENT ON COLUMN history.n IS 'counts the changes of this photo, from 1';
COMMENT ON COLUMN history.call IS 'all changes that one call made; a repeated call finds its own';
COMMENT ON COLUMN history.person IS 'subject who made it; null for a machine';
COMMENT ON COLUMN history.owner IS 'subject whose photo it is';
COMMENT ON COLUMN history.after IS 'null when the photo was deleted';
COMMENT ON COLUMN history.reason IS 'a known reason; null when a person gave words instead';
COMMENT ON COLUMN history.failed IS 'automatic moderation could not finish';
COMMENT ON COLUMN history.model IS 'sha256 of the model that looked';
CREATE INDEX history_at ON history USING brin (at);

CREATE TABLE history_words (
    photo_id text NOT NULL,
    n        integer NOT NULL,
    words    text NOT NULL,
    PRIMARY KEY (photo_id, n)
);
COMMENT ON TABLE history_words IS 'what people wrote as a reason; erased with the user';

-- Rows may be removed once they are older than this. Set by `photogate migrate` only.
CREATE TABLE history_retention (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    days integer NOT NULL CHECK (days >= 30)
);
INSERT INTO history_retention (days) VALUES (730);

CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - make_interval(days => (SELECT days FROM history_retention)) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'history is append-only';
END $$;
CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER history_not_emptied BEFORE TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only();

-- For a role that may not delete by itself: at most `most` rows that are old enough.
CREATE FUNCTION prune_history(most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH old AS (
        SELECT photo_id, n FROM history
        WHERE at < now() - make_interval(days => (SELECT days FROM history_retention))
        LIMIT most
    ), words AS (
        DELETE FROM history_words USING old
        WHERE history_words.photo_id = old.photo_id AND history_words.n = old.n
    ), gone AS (
        DELETE FROM history USING old
        WHERE history.photo_id = old.photo_id AND history.n = old.n RETURNING 1
    )
    SELECT count(*) FROM gone
$$;

CREATE TABLE review_items (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    photo_id    text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('doubt', 'appeal', 'sample', 'escalation')),
    priority    integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz,
    lease_by    text,
    lease_until timestamptz,
    closed_at   timestamptz
);
COMMENT ON TABLE review_items IS 'what waits for a person; stands apart from the status of the photo';
CREATE UNIQUE INDEX review_items_open ON review_items (photo_id, kind) WHERE closed_at IS NULL;
CREATE INDEX review_items_next ON review_items (priority DESC, created_at) WHERE closed_at IS NULL;

ALTER TABLE media ADD COLUMN changes integer NOT NULL DEFAULT 0, ADD COLUMN undo jsonb;
COMMENT ON COLUMN media.changes IS 'how many rows history has of it';
COMMENT ON COLUMN media.undo IS 'what the last decision replaced, and until when it can be taken back';

-- Whoever else writes a photo's status, another program or an older version of this one, does
-- not count the change: it is noted here.
CREATE FUNCTION media_changed_by_other() RETURNS trigger LANGUAGE plpgsql
-- The other program's role need not know these tables.
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    subject bigint;
BEGIN
    NEW.changes := OLD.changes + 1;
    NEW.undo := NULL;
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
CREATE TRIGGER media_changed_by_other BEFORE UPDATE OF moderation_status ON media
    FOR EACH ROW
    WHEN (NEW.moderation_status IS DISTINCT FROM OLD.moderation_status
          AND NEW.changes = OLD.changes)
    EXECUTE FUNCTION media_changed_by_other();

-- The earlier audit log moves into the history; an older version may still write to it.
CREATE FUNCTION audit_into_history(entry audit_log) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    next integer;
    why text := entry.after->>'reason';
    known boolean := why IN ('nsfw', 'underage', 'no_face', 'group_photo', 'blurry', 'blank',
                             'too_small', 'too_large', 'unreadable');
BEGIN
    INSERT INTO subjects (user_id) VALUES (entry.user_id) ON CONFLICT DO NOTHING;
    INSERT INTO subjects (user_id) VALUES (entry.actor) ON CONFLICT DO NOTHING;
    SELECT coalesce(max(n), 0) + 1 INTO next FROM history WHERE photo_id = entry.media_id;
    INSERT INTO history (photo_id, n, at, action, by, person, role, owner, before, after, reason)
        SELECT entry.media_id, next, entry.at,
               CASE WHEN entry.action IN ('approve', 'reject') THEN 'decide' ELSE entry.action END,
               'person', actor.id, entry.actor_role, owner.id,
               coalesce(entry.before->>'status', 'review'), entry.after->>'status',
               CASE WHEN known THEN why END
        FROM subjects actor, subjects owner
        WHERE actor.user_id = entry.actor AND owner.user_id = entry.user_id;
    IF NOT known THEN
        INSERT INTO history_words VALUES (entry.media_id, next, why);
    END IF;
    UPDATE media SET changes = next WHERE CAST(id AS text) = entry.media_id AND changes < next;
END $$;
CREATE FUNCTION audit_log_into_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audit_into_history(NEW);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_log_into_history AFTER INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_into_history();

-- step: what waits for people (in batches over media)
-- Locked, for a decision that is made meanwhile closes only an item that it sees.
INSERT INTO review_items (photo_id, kind, created_at)
    SELECT CAST(id AS text), 'doubt', created_at FROM media
    WHERE ctid >= :from AND ctid < :until
      AND moderation_status = 'review' AND media_type = 'photo'
    FOR SHARE
ON CONFLICT DO NOTHING;

-- step: earlier decisions (in batches over audit_log)
-- Their photos are locked first, so that no change of one takes the same number meanwhile.
WITH photos AS MATERIALIZED (
    SELECT 1 FROM audit_log AS log
    CROSS JOIN LATERAL (
        SELECT 1 FROM media WHERE CAST(id AS text) = log.media_id FOR UPDATE) AS photo
    WHERE log.ctid >= :from AND log.ctid < :until
)
SELECT audit_into_history(moved.entry) FROM (
    SELECT log AS entry FROM audit_log AS log
    WHERE ctid >= :from AND ctid < :until AND (SELECT count(*) FROM photos) >= 0
      AND (SELECT count(*) FROM history
           WHERE photo_id = log.media_id AND at = log.at AND by = 'person'
             AND after IS NOT DISTINCT FROM log.after->>'status') = 0
    ORDER BY id
) AS moved;
