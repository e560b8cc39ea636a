-- no transaction
-- A page is found by the key that came with it; what is to be taken from phones is found like everything that is due.
ALTER TABLE page VALIDATE CONSTRAINT page_state_check;
ALTER TABLE contact VALIDATE CONSTRAINT contact_quiet;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS page_key ON page (key) WHERE key IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS page_recall ON page (recall_at) WHERE recall_at IS NOT NULL;
