-- What a worker looks for, so that operators can see which checks are on, and why one is off.
ALTER TABLE workers
    ADD COLUMN policy text NOT NULL DEFAULT '',
    ADD COLUMN gates jsonb NOT NULL DEFAULT '[]';
