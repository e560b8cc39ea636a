-- What is heard of a page after it was handed over: that a device has it, that it was shown, that its person answered.
-- key: whoever holds the page can say so, and take the alert, without signing in. recall_at: since when what a phone shows
-- is to be taken from it.
ALTER TABLE page ADD COLUMN key text;
ALTER TABLE page ADD COLUMN received_at timestamptz;
ALTER TABLE page ADD COLUMN shown_at timestamptz;
ALTER TABLE page ADD COLUMN answered_at timestamptz;
ALTER TABLE page ADD COLUMN recall_at timestamptz;
ALTER TABLE page DROP CONSTRAINT page_state_check;
ALTER TABLE page ADD CONSTRAINT page_state_check CHECK (state IN
    ('queued', 'leased', 'handed_over', 'received', 'shown', 'answered', 'failed', 'withdrawn')) NOT VALID;

-- Local times between which a contact is not disturbed, but for what is serious or critical.
ALTER TABLE contact ADD COLUMN quiet_from time;
ALTER TABLE contact ADD COLUMN quiet_to time;
ALTER TABLE contact ADD COLUMN created_at timestamptz;
ALTER TABLE contact ADD COLUMN confirmed_at timestamptz;
ALTER TABLE contact ADD CONSTRAINT contact_quiet CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)) NOT VALID;
