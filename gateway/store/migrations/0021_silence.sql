-- Silences: what is held back, for whom, why and until when; residents who are away are silences of another kind.
--
-- Exactly one of device (as it is fitted: `installation_id`), resident, or neither (then the zone, with what is below it).
-- `zone_id`: the zone itself, or where the device or the resident was when it was set: whose leads answer for it.
-- `note` is free text about a person: it is erasable, and in no audit. `asked_until`: a longer time that somebody else has
-- yet to agree to.
CREATE TABLE silence (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid             uuid NOT NULL UNIQUE,
    kind            text NOT NULL CHECK (kind IN ('silence', 'away')),
    zone_id         bigint NOT NULL REFERENCES zone,
    device_id       bigint REFERENCES device,
    installation_id bigint REFERENCES installation,
    resident_id     bigint REFERENCES resident,
    condition       text,
    track           text CHECK (track IN ('care', 'technical')),
    severity        smallint NOT NULL CHECK (severity IN (0, 10, 20, 30, 40)),
    vital           boolean NOT NULL,
    needs_consent   boolean NOT NULL,
    reason          text NOT NULL,
    note            text NOT NULL,
    owner_id        bigint NOT NULL REFERENCES person,
    since           timestamptz NOT NULL,
    until           timestamptz NOT NULL,
    agreed_at       timestamptz NOT NULL,
    asked_by        bigint NOT NULL REFERENCES person,
    asked_at        timestamptz NOT NULL,
    asked_until     timestamptz,
    consented_by    bigint REFERENCES person,
    consented_at    timestamptz,
    warned_at       timestamptz,
    ended_at        timestamptz,
    ended_by        bigint REFERENCES person,
    ended_why       text CHECK (ended_why IN ('time_up', 'by_hand', 'not_agreed', 'moved')),
    version         integer NOT NULL DEFAULT 1,
    due_at          timestamptz,
    CHECK (num_nonnulls(device_id, resident_id) <= 1),
    CHECK (installation_id IS NULL OR device_id IS NOT NULL),
    CHECK (kind <> 'away' OR (resident_id IS NOT NULL AND condition IS NULL AND NOT vital)),
    CHECK (NOT vital OR needs_consent),
    CHECK (since < until),
    CHECK (kind = 'away' OR until - greatest(since, agreed_at) <= interval '30 days'),
    CHECK ((consented_by IS NULL) = (consented_at IS NULL)),
    CHECK (consented_by IS NULL OR asked_until IS NOT NULL OR consented_by <> asked_by),
    CHECK ((ended_at IS NULL) = (ended_why IS NULL)),
    CHECK ((ended_at IS NULL) = (due_at IS NOT NULL))
);
CREATE INDEX silence_due ON silence (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX silence_zone ON silence (zone_id, id DESC);
CREATE INDEX silence_device ON silence (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX silence_resident ON silence (resident_id) WHERE resident_id IS NOT NULL;
CREATE UNIQUE INDEX silence_away ON silence (resident_id) WHERE kind = 'away' AND ended_at IS NULL;

-- What a silence has held back: one row for as long as a cause goes on. `devices`: whose word it rests on, until each has
-- said that it is over. `evidence`: the newest, as an alert would have it.
CREATE TABLE held_back (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    silence_id      bigint NOT NULL REFERENCES silence,
    key             text NOT NULL,
    condition       text NOT NULL,
    vkp_code        text,
    severity        smallint NOT NULL CHECK (severity IN (0, 10, 20, 30, 40)),
    track           text NOT NULL CHECK (track IN ('care', 'technical')),
    rule_id         bigint NOT NULL REFERENCES rule,
    site_id         bigint NOT NULL REFERENCES site,
    zone_id         bigint NOT NULL REFERENCES zone,
    device_id       bigint REFERENCES device,
    installation_id bigint REFERENCES installation,
    dwelling_id     bigint REFERENCES dwelling,
    resident_id     bigint REFERENCES resident,
    first_at        timestamptz NOT NULL,
    newest_at       timestamptz NOT NULL,
    times           integer NOT NULL CHECK (times > 0),
    evidence        jsonb NOT NULL,
    schema          integer NOT NULL DEFAULT 1,
    devices         bigint[] NOT NULL,
    settled_at      timestamptz,
    outcome         text CHECK (outcome IN ('over', 'raised', 'held_on', 'passed')),
    alert_id        bigint REFERENCES alert,
    CHECK ((settled_at IS NULL) = (outcome IS NULL)),
    CHECK (alert_id IS NULL OR outcome = 'raised')
);
CREATE UNIQUE INDEX held_back_open ON held_back (silence_id, key) WHERE settled_at IS NULL;
CREATE INDEX held_back_key ON held_back (key) WHERE settled_at IS NULL;
CREATE INDEX held_back_silence ON held_back (silence_id, newest_at DESC);

-- That somebody shows to be in the home of a resident who is away. `told_at`: when that was last raised.
CREATE TABLE sign_of_life (
    silence_id bigint PRIMARY KEY REFERENCES silence,
    device_id  bigint NOT NULL REFERENCES device,
    type       text NOT NULL,
    first_at   timestamptz NOT NULL,
    newest_at  timestamptz NOT NULL,
    times      integer NOT NULL CHECK (times > 0),
    told_at    timestamptz
);

-- Each zone whose leads are told every morning what is silenced there.
CREATE TABLE silence_summary (
    zone_id bigint PRIMARY KEY REFERENCES zone,
    due_at  timestamptz
);
CREATE INDEX silence_summary_due ON silence_summary (due_at) WHERE due_at IS NOT NULL;
