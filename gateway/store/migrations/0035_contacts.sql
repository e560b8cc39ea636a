-- A link that signs a phone in as whoever made it: once, within minutes, by the database's clock. Only a hash of it is kept.
CREATE TABLE phone_link (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    person_id  bigint NOT NULL REFERENCES person,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX phone_link_person ON phone_link (person_id);

-- Since when a contact is of no interest any more: its address is forgotten some time after that.
ALTER TABLE contact ADD COLUMN removed_at timestamptz;

-- Whether checking in to a shift sends a test page; null: as the zone above, and at the top it does.
ALTER TABLE zone ADD COLUMN check_in_tests boolean;
