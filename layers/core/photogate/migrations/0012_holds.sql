-- Suspected abuse of a child: such a photo is shown to nobody any more, and nothing of it goes.

-- step: holds
ALTER TABLE media ADD COLUMN held_at timestamptz;
COMMENT ON COLUMN media.held_at IS 'when it was withheld for suspected abuse of a child; null once an admin lifted that';

CREATE TABLE holds (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    photo_id       text NOT NULL,
    held_at        timestamptz NOT NULL DEFAULT now(),
    held_by        bigint NOT NULL,
    reported_at    timestamptz,
    reported_by    bigint,
    report         text,
    lifted_at      timestamptz,
    lifted_by      bigint,
    lifted_because text
);
COMMENT ON TABLE holds IS 'photos that were withheld for suspected abuse of a child; kept for good';
COMMENT ON COLUMN holds.held_by IS 'subject';
COMMENT ON COLUMN holds.report IS 'where it was reported, and under which number';
CREATE UNIQUE INDEX holds_open ON holds (photo_id) WHERE lifted_at IS NULL;
CREATE INDEX holds_at ON holds (held_at);

-- Whoever writes to these tables, this program or another one.
CREATE FUNCTION media_is_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'photo % is held: an admin has to lift that before it is changed or removed', OLD.id;
END $$;
CREATE TRIGGER media_held_stays BEFORE DELETE ON media
    FOR EACH ROW WHEN (OLD.held_at IS NOT NULL) EXECUTE FUNCTION media_is_held();
CREATE TRIGGER media_held_as_it_is BEFORE UPDATE OF moderation_status ON media
    FOR EACH ROW
    WHEN (OLD.held_at IS NOT NULL AND NEW.held_at IS NOT NULL
          AND NEW.moderation_status IS DISTINCT FROM OLD.moderation_status)
    EXECUTE FUNCTION media_is_held();

-- What tells of a photo that is held stays as well.
CREATE OR REPLACE FUNCTION prune_history(most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH old AS (
        SELECT photo_id, n FROM history
        WHERE at < now() - make_interval(days => (SELECT days FROM history_retention))
          AND photo_id <> ALL (ARRAY(SELECT photo_id FROM holds WHERE lifted_at IS NULL))
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

-- How much somebody has looked at lately.
CREATE INDEX reveals_person ON reveals (person, at);
