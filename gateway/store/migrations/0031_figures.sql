-- no transaction
-- Alerts of zones and a time are counted by device and by resident.
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_zone_raised ON alert (zone_id, raised_at);
