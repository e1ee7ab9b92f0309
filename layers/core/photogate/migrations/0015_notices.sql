-- What users and backends are told of decisions; see photogate.domain.notices.

-- step: language
ALTER TABLE batches ADD COLUMN language text;
COMMENT ON COLUMN batches.language IS 'in which the user wants to be told; null for the usual one';

-- step: notices
CREATE TABLE notices (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    photo_id   text NOT NULL,
    n          integer NOT NULL,
    user_id    text NOT NULL,
    batch_id   text,
    file_key   text NOT NULL,
    status     text NOT NULL,
    before     text NOT NULL,
    reason     text,
    by_person  boolean NOT NULL,
    corrects   boolean NOT NULL,
    sha256     text,
    language   text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL,
    waits      boolean NOT NULL,
    planned    boolean NOT NULL DEFAULT false,
    void       boolean NOT NULL DEFAULT false,
    UNIQUE (photo_id, n)
);
COMMENT ON TABLE notices IS 'one row per decision, written with it; kept for NOTICE_DAYS';
COMMENT ON COLUMN notices.n IS 'of the change in history; both name the notice for receivers';
COMMENT ON COLUMN notices.reason IS 'may hold a person''s words: erased with the user';
COMMENT ON COLUMN notices.waits IS 'for the copy: approved means that it can be seen';
COMMENT ON COLUMN notices.planned IS 'no longer to be looked at: owed to the channels, or void';
COMMENT ON COLUMN notices.void IS 'never told: undone, or replaced before its copy existed';
CREATE INDEX notices_due ON notices (due_at, id) WHERE NOT planned AND NOT waits;
CREATE INDEX notices_user ON notices (user_id);

CREATE TABLE notice_deliveries (
    notice  bigint NOT NULL REFERENCES notices ON DELETE CASCADE,
    channel text NOT NULL,
    user_id text NOT NULL,
    place   bigint GENERATED ALWAYS AS IDENTITY,
    told_at timestamptz,
    dead_at timestamptz,
    error   text,
    PRIMARY KEY (notice, channel)
);
COMMENT ON TABLE notice_deliveries IS 'a notice that is or was owed to a channel';
COMMENT ON COLUMN notice_deliveries.place IS 'the order in which a user is told';
COMMENT ON COLUMN notice_deliveries.told_at IS 'when the receiver took it: it is not asked again';
COMMENT ON COLUMN notice_deliveries.dead_at IS 'when it was given up';
CREATE INDEX notice_deliveries_open ON notice_deliveries (channel, user_id, place)
    WHERE told_at IS NULL AND dead_at IS NULL;
CREATE INDEX notice_deliveries_dead ON notice_deliveries (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE notice_lines (
    channel       text NOT NULL,
    user_id       text NOT NULL,
    next_at       timestamptz NOT NULL,
    lease         uuid,
    failures      integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    PRIMARY KEY (channel, user_id)
);
COMMENT ON TABLE notice_lines IS 'users with open deliveries, by channel; one sender at a time';
COMMENT ON COLUMN notice_lines.next_at IS 'when they may be told next; under a lease, when it ends';
CREATE INDEX notice_lines_next ON notice_lines (channel, next_at);

CREATE TABLE notice_channels (
    channel     text PRIMARY KEY,
    rests_until timestamptz NOT NULL
);
COMMENT ON TABLE notice_channels IS 'receivers that are left alone for a while';

CREATE TABLE notice_addresses (
    channel   text NOT NULL,
    user_id   text NOT NULL,
    address   text NOT NULL,
    linked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, user_id)
);
COMMENT ON TABLE notice_addresses IS 'where users are reached, such as a chat; erased with the user';
