-- Policies that people set: for a zone or a resident beside the whole; withdrawn, never deleted. Teams. And how far into the
-- coming week everybody can be reached.

-- A name is a policy's own in what it is set for.
ALTER TABLE policy
    ADD COLUMN zone_id bigint REFERENCES zone,
    ADD COLUMN resident_id bigint REFERENCES resident,
    ADD CONSTRAINT policy_one_scope CHECK (num_nonnulls(zone_id, resident_id) <= 1),
    DROP CONSTRAINT policy_name_key,
    ADD CONSTRAINT policy_name_in_scope UNIQUE NULLS NOT DISTINCT (name, zone_id, resident_id);
CREATE INDEX policy_resident ON policy (resident_id) WHERE resident_id IS NOT NULL;

ALTER TABLE policy_version ADD COLUMN withdrawn boolean NOT NULL DEFAULT false;

CREATE TABLE team (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid       uuid NOT NULL UNIQUE,
    zone_id   bigint NOT NULL REFERENCES zone,
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    version   integer NOT NULL,
    withdrawn boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX team_name ON team (zone_id, name) WHERE NOT withdrawn;

-- The lowest position is paged first.
CREATE TABLE team_member (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id   bigint NOT NULL REFERENCES team,
    person_id bigint NOT NULL REFERENCES person,
    during    tstzrange NOT NULL CHECK (NOT isempty(during)),
    position  smallint NOT NULL DEFAULT 0,
    EXCLUDE USING gist (int8range(team_id, team_id, '[]') WITH &&, int8range(person_id, person_id, '[]') WITH &&, during WITH &&)
);
CREATE INDEX team_member_person ON team_member (person_id);

-- One row: when whom policies reach is looked at next, in domain time, and when it was last. Whoever moves `due_at` looks.
CREATE TABLE reach_look (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    due_at    timestamptz NOT NULL,
    looked_at timestamptz
);

-- Of each hour from `since` on how many persons the weakest policy of each track reaches.
CREATE TABLE reach_zone (
    zone_id   bigint PRIMARY KEY REFERENCES zone,
    since     timestamptz NOT NULL,
    care      smallint[] NOT NULL,
    technical smallint[] NOT NULL
);

-- A time in which a policy does not reach enough people. `told_at`: when the lead was told of it; null where nobody needs to be.
CREATE TABLE reach_gap (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    zone_id    bigint NOT NULL REFERENCES zone,
    policy_id  bigint NOT NULL REFERENCES policy,
    track      text NOT NULL CHECK (track IN ('care', 'technical')),
    gap        text NOT NULL CHECK (gap IN ('nobody', 'one', 'first_step')),
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL CHECK (until > since),
    persons    smallint NOT NULL,
    severities smallint[] NOT NULL,
    told_at    timestamptz
);
CREATE INDEX reach_gap_zone ON reach_gap (zone_id, since);
