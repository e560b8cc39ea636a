-- Quarantine that can be searched and decoded again: what waits, what was decoded, when and by whom.

ALTER TABLE quarantine
    ADD COLUMN ecosystem     text,
    ADD COLUMN address       text,
    ADD COLUMN kind          text,
    ADD COLUMN state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'decoded')),
    ADD COLUMN decoded_at    timestamptz,
    ADD COLUMN decoded_by_id bigint REFERENCES person,
    ADD CONSTRAINT quarantine_decoded CHECK
        ((state = 'decoded') = (decoded_at IS NOT NULL) AND (state = 'decoded') = (decoded_by_id IS NOT NULL));

-- Where the topic could be read, it says who spoke.
UPDATE quarantine
SET ecosystem = 'native', kind = split_part(topic, '/', 4), address = split_part(topic, '/', 5)
WHERE topic LIKE 'hv/v1/%/%/%/%' AND reason <> 'topic';

CREATE INDEX quarantine_waiting ON quarantine (uid) WHERE state = 'waiting';
