-- no transaction
-- What retention asks for, and the database where an alert goes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_closed ON alert (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS answer_alert ON answer (alert_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS answer_received ON answer USING brin (received_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_at ON audit USING brin (at);
