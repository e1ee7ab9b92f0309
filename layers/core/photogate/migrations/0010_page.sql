-- The moderators' page: who is signed in, who has seen which photo, and why an item was passed on.

CREATE TABLE sign_in_links (
    jti        text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE sign_in_links IS 'links that were used; kept until they would have ended anyway';

CREATE TABLE sessions (
    secret_hash text PRIMARY KEY,
    user_id     text NOT NULL,
    user_name   text,
    role        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sessions IS 'who is signed in at the page; a row lives for a day at most';
COMMENT ON COLUMN sessions.secret_hash IS 'sha256 of what the cookie holds';

CREATE TABLE reveals (
    photo_id text NOT NULL,
    person   bigint NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (photo_id, person)
);
COMMENT ON TABLE reveals IS 'who has seen which photo unblurred, and when first; kept as long as history';
COMMENT ON COLUMN reveals.person IS 'subject';
CREATE INDEX reveals_at ON reveals USING brin (at);

ALTER TABLE review_items ADD COLUMN note text, ADD COLUMN raised_by bigint;
COMMENT ON COLUMN review_items.note IS 'what a moderator wrote to the admins; goes with the photo';
COMMENT ON COLUMN review_items.raised_by IS 'subject who passed it on';
