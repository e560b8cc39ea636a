-- The rule engine: what devices of a home last said, watches by home, and who changed a rule.

CREATE TABLE home_word (
    dwelling_id bigint NOT NULL REFERENCES dwelling,
    word        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (dwelling_id, word)
);

CREATE INDEX watch_home ON watch (dwelling_id) WHERE dwelling_id IS NOT NULL AND (due_at IS NOT NULL OR state = 'raised');
CREATE INDEX watch_rule ON watch (rule_id) WHERE due_at IS NOT NULL;
CREATE INDEX rule_kind ON rule (kind, name);

-- Planned doses have a rule type of their own now; the watches of silence are named as those of every other rule.
UPDATE rule_version SET spec = jsonb_set(spec, '{type}', '"dose"') WHERE spec ->> 'type' = 'missed';
UPDATE watch SET key = 'silence:device_silent:' || substr(key, 9) WHERE key LIKE 'silence:installation:%';
