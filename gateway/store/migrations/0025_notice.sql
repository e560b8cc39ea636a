-- no transaction
-- Notices tell leads of silences, and nobody waits for help behind one: by a flag, as people choose the names of policies.
ALTER TABLE alert ADD COLUMN IF NOT EXISTS notice boolean NOT NULL DEFAULT false;
UPDATE alert SET notice = true WHERE closed_at IS NULL AND rule_id IS NULL AND condition IN
    ('silences_in_force', 'silence_consent', 'silence_ends', 'silence_without_owner', 'away_over');

-- Since when something is to be raised, as its silence has ended, and could not be: it is tried until it is settled.
ALTER TABLE held_back ADD COLUMN IF NOT EXISTS due_at timestamptz;
CREATE INDEX CONCURRENTLY IF NOT EXISTS held_back_due ON held_back (due_at) WHERE due_at IS NOT NULL AND settled_at IS NULL;
