-- no transaction
-- A third of all messages move a watch, and each move writes every index that has it: so only what is asked for stays.
-- Watches are found by key, by when they are due, and, those that wait, by home; doses and silences by device, too.
-- Nobody asks for a watch by its id.
CREATE INDEX CONCURRENTLY IF NOT EXISTS watch_planned ON watch (device_id, since)
    WHERE key LIKE 'dose:%' OR key LIKE 'silence:%';
DROP INDEX CONCURRENTLY IF EXISTS watch_device;
DROP INDEX CONCURRENTLY IF EXISTS watch_rule;
ALTER TABLE watch REPLICA IDENTITY USING INDEX watch_key_key;
ALTER TABLE watch DROP CONSTRAINT IF EXISTS watch_pkey;
