-- Stages: pauses, hand-overs that fall back, closing in the national codes, alerts that follow each other.
--
-- due_as: where `due_for` is 'stage', what the stage's end is more exactly: of a pause, or of the time in which a holder has to
-- say that they keep it. A release that does not know the column takes it for the stage's limit, which ends in the same way.
ALTER TABLE alert ADD COLUMN due_as text;
ALTER TABLE alert ADD CONSTRAINT alert_due_as_check CHECK (due_as IN ('keep', 'pause')) NOT VALID;

-- VKP codes of the cause (an alert code) and of the action (a handling event).
ALTER TABLE alert ADD COLUMN cause_code text;
ALTER TABLE alert ADD COLUMN action_code text;

-- The alert of the same key that was closed within a day before this one was raised.
ALTER TABLE alert ADD COLUMN follows_id bigint;
ALTER TABLE alert ADD CONSTRAINT alert_follows_id_fkey FOREIGN KEY (follows_id) REFERENCES alert ON DELETE SET NULL NOT VALID;

-- What somebody wrote beside an answer: free text about a person, erasable, and in no audit. `seq`: of its entry on
-- the timeline. It goes with its alert.
CREATE TABLE alert_note (
    alert_id bigint NOT NULL REFERENCES alert ON DELETE CASCADE,
    seq      integer NOT NULL,
    note     text NOT NULL CHECK (length(note) BETWEEN 1 AND 500),
    PRIMARY KEY (alert_id, seq)
);

ALTER TABLE alert_fact ADD COLUMN cause_code text;
ALTER TABLE alert_fact ADD COLUMN action text;
ALTER TABLE alert_fact ADD COLUMN action_code text;
