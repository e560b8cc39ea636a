-- A rule for a device holds for the home in which it was set: a device that is fitted somewhere else starts afresh.
ALTER TABLE rule ADD COLUMN installation_id bigint REFERENCES installation;
