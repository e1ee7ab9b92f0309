-- Approved photos that were drawn to check the machine, and how each of them ended.

-- One table in a step: others lock them in other orders.

-- step: samples
CREATE TABLE samples (
    photo_id text PRIMARY KEY,
    drawn_at timestamptz NOT NULL DEFAULT now(),
    policy   text,
    model    text,
    outcome  text CHECK (outcome IN ('agreed', 'missed', 'withdrawn')),
    reason   text,
    n        integer,
    ended_at timestamptz
);
COMMENT ON TABLE samples IS 'see photogate.domain.samples';
COMMENT ON COLUMN samples.policy IS 'which approved it, as history has it';
COMMENT ON COLUMN samples.model IS 'sha256 of the models that looked';
COMMENT ON COLUMN samples.outcome IS 'null while nobody has decided';
COMMENT ON COLUMN samples.reason IS 'of a miss: a known reason; null when a person gave words instead';
COMMENT ON COLUMN samples.n IS 'the change in history that ended it';
CREATE INDEX samples_drawn ON samples (drawn_at);

-- What another program takes out of view says nothing about the machine.
CREATE FUNCTION sample_ended_by_other() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE samples SET outcome = 'withdrawn', n = NEW.n, ended_at = now()
        WHERE photo_id = NEW.photo_id AND outcome IS NULL;
    UPDATE review_items SET closed_at = now()
        WHERE photo_id = NEW.photo_id AND kind = 'sample' AND closed_at IS NULL;
    RETURN NULL;
END $$;

-- Nor does a row that goes without a change: erased by hand, or by a cascade.
CREATE FUNCTION sample_gone() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE samples SET outcome = 'withdrawn', ended_at = now()
        WHERE photo_id = CAST(OLD.id AS text) AND outcome IS NULL;
    RETURN NULL;
END $$;

-- step: folded items
ALTER TABLE review_items ADD COLUMN folded boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN review_items.folded IS 'nobody is shown what the machine says before they decide';

-- step: samples of other programs
CREATE TRIGGER history_ends_samples AFTER INSERT ON history FOR EACH ROW
    WHEN (NEW.by = 'other' AND NEW.after IS DISTINCT FROM 'approved')
    EXECUTE FUNCTION sample_ended_by_other();

-- step: samples of photos that are gone
CREATE TRIGGER media_ends_samples AFTER DELETE ON media FOR EACH ROW
    EXECUTE FUNCTION sample_gone();
