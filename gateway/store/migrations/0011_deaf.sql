-- no transaction
-- When sites were deaf, which every list of devices asks for: found without a look at all alerts that ever were.
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_site_deaf ON alert (site_id, occurred_at) WHERE condition = 'site_deaf';
