-- What waits for people goes by risk and by age: a point of priority counts as a quarter of an hour.
-- The index serves that order. Its expression stays the same while time passes, so that no row has
-- to be written anew to grow older. review_items_next serves the version before, until it is gone.

-- step: review_items_order (outside a transaction)
CREATE INDEX CONCURRENTLY IF NOT EXISTS review_items_order ON review_items
    ((timezone('UTC', created_at) - priority * interval '15 minutes'), id) WHERE closed_at IS NULL;
