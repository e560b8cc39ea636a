-- no transaction
-- The database looks here for each alert that goes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS held_back_alert ON held_back (alert_id) WHERE alert_id IS NOT NULL;
