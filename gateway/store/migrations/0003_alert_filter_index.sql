-- no transaction
-- Built without locking the table, as an index on a live one has to be.
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_open_zone ON alert (zone_id) WHERE closed_at IS NULL;
