-- Lanes are shared out among several gateways: each process that hears is known by a row, and its lease is for all its lanes.

-- A gateway process that takes lanes. In the database's clock.
CREATE TABLE gateway (
    holder      text PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    able        boolean NOT NULL
) WITH (fillfactor = 50);

ALTER TABLE site_lane
    ADD COLUMN taken_at timestamptz,
    DROP COLUMN lease_until;
