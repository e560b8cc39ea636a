-- The canary resident: a home of our own for each site, in a zone that nobody is assigned to. A passage is one alarm of it: when
-- it was published, and when each leg of its path was done. It is kept for a day.
ALTER TABLE zone DROP CONSTRAINT zone_kind_check;
ALTER TABLE zone ADD CONSTRAINT zone_kind_check CHECK (kind IN ('centre', 'municipality', 'zone', 'canary'));

CREATE TABLE canary_passage (
    site_id bigint NOT NULL REFERENCES site (id),
    published_at timestamptz NOT NULL,
    message_id text NOT NULL,
    stored_at timestamptz,
    receipted_at timestamptz,
    raised_at timestamptz,
    queued_at timestamptz,
    leased_at timestamptz,
    handed_over_at timestamptz,
    answered_at timestamptz,
    PRIMARY KEY (site_id, published_at)
);

-- When a page was first taken to be sent, and when it was withdrawn or given up: its legs, as they are shown and measured.
ALTER TABLE page ADD COLUMN leased_at timestamptz;
ALTER TABLE page ADD COLUMN ended_at timestamptz;
