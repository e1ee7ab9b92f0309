-- The rate at which each sample was drawn: times with different rates are weighed by it.

-- step: rate
ALTER TABLE samples ADD COLUMN rate double precision CHECK (rate > 0 AND rate <= 1);
COMMENT ON COLUMN samples.rate IS
    'share of approvals that was drawn then; null where an earlier version drew it';
