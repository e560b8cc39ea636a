-- The key that pushes are signed with (VAPID): a browser takes pushes of that key alone that it has subscribed with, so it is made
-- once and stays. Where a setting brings a key, this one is not used.
CREATE TABLE push_key (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    private_key text NOT NULL,
    created_at  timestamptz NOT NULL
);
