-- How often a page was tried to be taken back, and when it was; since when a contact is known to be of no use: what is heard
-- of pages that left before says nothing about it.
ALTER TABLE page ADD COLUMN recall_tries smallint NOT NULL DEFAULT 0;
ALTER TABLE page ADD COLUMN recalled_at timestamptz;
ALTER TABLE contact ADD COLUMN broken_at timestamptz;
