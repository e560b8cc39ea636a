-- no transaction
-- What a new alert follows is found by its key; the database looks for followers of each alert that goes.
ALTER TABLE alert VALIDATE CONSTRAINT alert_due_as_check;
ALTER TABLE alert VALIDATE CONSTRAINT alert_follows_id_fkey;
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_closed_key ON alert (key, closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_follows ON alert (follows_id) WHERE follows_id IS NOT NULL;
-- When a page last left for a contact: what follows within a short time leaves together.
CREATE INDEX CONCURRENTLY IF NOT EXISTS page_left ON page (contact_id, handed_over_at) WHERE handed_over_at IS NOT NULL;
