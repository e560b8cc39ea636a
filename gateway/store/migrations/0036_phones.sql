-- A phone that has registered itself (Web Push): when it last said so by itself, which is no sign that it rings; which kind of machine it
-- is; and whether its own person has turned it off, so that it does not come back by itself. Until now a phone vouched for itself:
-- what it said was kept as its person's confirmation.
ALTER TABLE contact ADD COLUMN renewed_at timestamptz;
ALTER TABLE contact ADD COLUMN machine text;
ALTER TABLE contact ADD COLUMN turned_off boolean NOT NULL DEFAULT false;
UPDATE contact SET renewed_at = confirmed_at, confirmed_at = NULL WHERE channel = 'web_push';

-- A session that began by a link makes no other link: else one password would do for ever.
ALTER TABLE session ADD COLUMN by_link boolean NOT NULL DEFAULT false;
