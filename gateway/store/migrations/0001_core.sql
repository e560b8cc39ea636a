-- The data model: who lives where with what, what devices said, what we wait for, what people must deal with.
--
-- bigint inside, UUIDv7 (`uid`, made by the gateway) outside. All times are UTC and given by the caller: no column has
-- a clock for a default. The columns that follow the database's own clock say so in their name (`hidden_until`,
-- `lease_until`, sessions). An exclusion over `int8range(x, x, '[]')` is equality of x, without an extension.

-- People's side ------------------------------------------------------------------------------------------------------

CREATE TABLE zone (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid       uuid NOT NULL UNIQUE,
    parent_id bigint REFERENCES zone,
    kind      text NOT NULL CHECK (kind IN ('centre', 'municipality', 'zone')),
    name      text NOT NULL,
    CHECK (parent_id IS DISTINCT FROM id),
    UNIQUE NULLS NOT DISTINCT (parent_id, name)
);

CREATE TABLE site (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    zone_id bigint NOT NULL REFERENCES zone
);

-- What a gateway process holds and has heard of one connection of a site.
CREATE TABLE site_lane (
    site_id        bigint NOT NULL REFERENCES site,
    lane           text NOT NULL CHECK (lane IN ('alarm', 'bulk')),
    epoch          bigint NOT NULL DEFAULT 0,
    holder         text,
    lease_until    timestamptz,
    heard_until    timestamptz,
    resumed_at     timestamptz,
    settling_since timestamptz,
    deaf_seconds   double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, lane)
);

CREATE TABLE person (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid           uuid NOT NULL UNIQUE,
    name          text NOT NULL,
    username      text UNIQUE CHECK (username = lower(username)),
    password_hash text,
    language      text NOT NULL DEFAULT 'nb' CHECK (language IN ('nb', 'nn', 'en')),
    active        boolean NOT NULL DEFAULT true
);

CREATE TABLE assignment (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id bigint NOT NULL REFERENCES person,
    role      text NOT NULL CHECK (role IN ('responder', 'lead', 'centre', 'technical', 'admin')),
    zone_id   bigint NOT NULL REFERENCES zone,
    during    tstzrange NOT NULL CHECK (NOT isempty(during)),
    EXCLUDE USING gist (int8range(person_id, person_id, '[]') WITH &&, int8range(zone_id, zone_id, '[]') WITH &&,
                        int4range(hashtext(role), hashtext(role), '[]') WITH &&, during WITH &&)
);
CREATE INDEX assignment_zone ON assignment (zone_id, role);

-- Weekly pattern in local time; weekday 0 is Monday; an end at or before the start is the next day's.
CREATE TABLE roster_shift (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id  bigint NOT NULL REFERENCES person,
    zone_id    bigint NOT NULL REFERENCES zone,
    role       text NOT NULL CHECK (role IN ('responder', 'technical')),
    weekday    smallint NOT NULL CHECK (weekday BETWEEN 0 AND 6),
    start_time time NOT NULL,
    end_time   time NOT NULL,
    position   smallint NOT NULL DEFAULT 0,
    from_date  date NOT NULL,
    to_date    date CHECK (to_date >= from_date)
);
CREATE INDEX roster_shift_zone ON roster_shift (zone_id, role);

CREATE TABLE contact (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid           uuid NOT NULL UNIQUE,
    person_id     bigint NOT NULL REFERENCES person,
    channel       text NOT NULL,
    address       text NOT NULL,
    position      smallint NOT NULL DEFAULT 0,
    active        boolean NOT NULL DEFAULT true,
    broken_reason text,
    UNIQUE (person_id, channel, address)
);

CREATE TABLE session (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid        uuid NOT NULL UNIQUE,
    token_hash bytea NOT NULL UNIQUE,
    csrf_token text NOT NULL,
    person_id  bigint NOT NULL REFERENCES person,
    user_agent text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_person ON session (person_id);

-- Failed sign-ins, so that guessing gets slower; in the database's clock.
CREATE TABLE sign_in_failure (
    username text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_failure_username ON sign_in_failure (username, at);

-- Homes --------------------------------------------------------------------------------------------------------------

CREATE TABLE dwelling (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid         uuid NOT NULL UNIQUE,
    zone_id     bigint NOT NULL REFERENCES zone,
    address     text NOT NULL,
    postal_code text NOT NULL DEFAULT '',
    city        text NOT NULL DEFAULT '',
    access      text NOT NULL DEFAULT '',
    latitude    double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude   double precision CHECK (longitude BETWEEN -180 AND 180)
);

CREATE TABLE resident (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid      uuid NOT NULL UNIQUE,
    name     text NOT NULL,
    phone    text NOT NULL DEFAULT '',
    born     date,
    notes    text NOT NULL DEFAULT ''
);

CREATE TABLE residency (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resident_id bigint NOT NULL REFERENCES resident,
    dwelling_id bigint NOT NULL REFERENCES dwelling,
    during      tstzrange NOT NULL CHECK (NOT isempty(during)),
    EXCLUDE USING gist (int8range(resident_id, resident_id, '[]') WITH &&, during WITH &&)
);
CREATE INDEX residency_dwelling ON residency (dwelling_id);

-- Devices ------------------------------------------------------------------------------------------------------------

-- `silent_after_seconds`: the device's own contract; null means its kind's.
CREATE TABLE device (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid                  uuid NOT NULL UNIQUE,
    site_id              bigint NOT NULL REFERENCES site,
    ecosystem            text NOT NULL,
    address              text NOT NULL,
    kind                 text NOT NULL,
    model                text NOT NULL DEFAULT '',
    registered           boolean NOT NULL DEFAULT true,
    silent_after_seconds integer CHECK (silent_after_seconds >= 60),
    UNIQUE (site_id, ecosystem, address)
);

CREATE TABLE installation (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid         uuid NOT NULL UNIQUE,
    device_id   bigint NOT NULL REFERENCES device,
    dwelling_id bigint NOT NULL REFERENCES dwelling,
    resident_id bigint REFERENCES resident,
    placed      text NOT NULL DEFAULT '',
    during      tstzrange NOT NULL CHECK (NOT isempty(during)),
    EXCLUDE USING gist (int8range(device_id, device_id, '[]') WITH &&, during WITH &&)
);
CREATE INDEX installation_resident ON installation (resident_id);
CREATE INDEX installation_dwelling ON installation (dwelling_id);

-- `watched_until`: the planned time of the newest dose that has a watch.
CREATE TABLE dose_schedule (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid             uuid NOT NULL UNIQUE,
    installation_id bigint NOT NULL REFERENCES installation,
    local_time      time NOT NULL,
    weekdays        smallint[] NOT NULL CHECK (weekdays <@ '{0,1,2,3,4,5,6}' AND cardinality(weekdays) > 0),
    from_date       date NOT NULL,
    to_date         date CHECK (to_date >= from_date),
    grace_seconds   integer CHECK (grace_seconds BETWEEN 300 AND 18000),
    watched_until   timestamptz NOT NULL
);
CREATE INDEX dose_schedule_installation ON dose_schedule (installation_id);
CREATE INDEX dose_schedule_watched ON dose_schedule (watched_until);

-- A heartbeat touches nothing but this row, and no index. `last_seen` is null while only the broker has spoken for the
-- device: its last will, or something retained.
CREATE TABLE device_state (
    device_id    bigint PRIMARY KEY REFERENCES device,
    last_seen    timestamptz,
    last_said_at timestamptz NOT NULL,
    online       boolean,
    fields       jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 60);

-- What devices said --------------------------------------------------------------------------------------------------

CREATE TABLE seen (
    device_id    bigint NOT NULL REFERENCES device,
    message_id   text NOT NULL,
    payload_hash bytea NOT NULL,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (device_id, message_id, payload_hash)
);

CREATE INDEX seen_received ON seen USING brin (received_at);

CREATE TABLE observation (
    id              bigint GENERATED ALWAYS AS IDENTITY,
    device_id       bigint NOT NULL,
    installation_id bigint,
    kind            text NOT NULL,
    message_class   text NOT NULL,
    type            text NOT NULL,
    message_id      text,
    occurred_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    flags           text[] NOT NULL,
    fields          jsonb NOT NULL,
    raw             bytea NOT NULL
);
CREATE INDEX observation_device ON observation (device_id, received_at DESC);
CREATE INDEX observation_installation ON observation (installation_id, received_at DESC) WHERE installation_id IS NOT NULL;

-- `content_hash` is null where the message has no readable id: such a message is never taken for a re-sent one.
CREATE TABLE quarantine (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid           uuid NOT NULL UNIQUE,
    site_id       bigint NOT NULL REFERENCES site,
    topic         text NOT NULL,
    raw           bytea NOT NULL,
    reason        text NOT NULL,
    detail        text NOT NULL,
    message_class text,
    retained      boolean NOT NULL,
    content_hash  bytea,
    received_at   timestamptz NOT NULL,
    UNIQUE (site_id, content_hash)
);
CREATE INDEX quarantine_received ON quarantine (received_at DESC);

-- Rules and policies -------------------------------------------------------------------------------------------------

CREATE TABLE rule (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid         uuid NOT NULL UNIQUE,
    kind        text NOT NULL,
    name        text NOT NULL,
    zone_id     bigint REFERENCES zone,
    resident_id bigint REFERENCES resident,
    device_id   bigint REFERENCES device,
    version     integer NOT NULL,
    CHECK (num_nonnulls(zone_id, resident_id, device_id) <= 1),
    UNIQUE NULLS NOT DISTINCT (kind, name, zone_id, resident_id, device_id)
);

CREATE TABLE rule_version (
    rule_id    bigint NOT NULL REFERENCES rule,
    version    integer NOT NULL,
    spec       jsonb NOT NULL,
    schema     integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    created_by bigint REFERENCES person,
    PRIMARY KEY (rule_id, version)
);

CREATE TABLE policy (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid     uuid NOT NULL UNIQUE,
    name    text NOT NULL UNIQUE,
    version integer NOT NULL
);

CREATE TABLE policy_version (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id  bigint NOT NULL REFERENCES policy,
    version    integer NOT NULL,
    spec       jsonb NOT NULL,
    schema     integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    created_by bigint REFERENCES person,
    UNIQUE (policy_id, version)
);

-- What we wait for, and what people must deal with -------------------------------------------------------------------

CREATE TABLE watch (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             text NOT NULL UNIQUE,
    rule_id         bigint NOT NULL REFERENCES rule,
    site_id         bigint NOT NULL REFERENCES site,
    zone_id         bigint NOT NULL REFERENCES zone,
    device_id       bigint REFERENCES device,
    installation_id bigint REFERENCES installation,
    dwelling_id     bigint REFERENCES dwelling,
    resident_id     bigint REFERENCES resident,
    since           timestamptz NOT NULL,
    due_at          timestamptz,
    state           text NOT NULL CHECK (state IN ('waiting', 'raised', 'met')),
    facts           jsonb NOT NULL,
    schema          integer NOT NULL DEFAULT 1,
    CHECK (state <> 'waiting' OR due_at IS NOT NULL)
);
CREATE INDEX watch_due ON watch (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX watch_device ON watch (device_id, since);

CREATE TABLE alert (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid               uuid NOT NULL UNIQUE,
    key               text NOT NULL,
    condition         text NOT NULL,
    vkp_code          text,
    severity          smallint NOT NULL CHECK (severity IN (0, 10, 20, 30, 40)),
    track             text NOT NULL CHECK (track IN ('care', 'technical')),
    rule_id           bigint REFERENCES rule,
    site_id           bigint NOT NULL REFERENCES site,
    zone_id           bigint NOT NULL REFERENCES zone,
    device_id         bigint REFERENCES device,
    installation_id   bigint REFERENCES installation,
    dwelling_id       bigint REFERENCES dwelling,
    resident_id       bigint REFERENCES resident,
    occurred_at       timestamptz NOT NULL,
    raised_at         timestamptz NOT NULL,
    late_seconds      integer NOT NULL CHECK (late_seconds >= 0),
    policy_version_id bigint NOT NULL REFERENCES policy_version,
    policy            jsonb NOT NULL,
    schema            integer NOT NULL DEFAULT 1,
    stage             text NOT NULL CHECK (stage IN ('open', 'claimed', 'on_way', 'arrived', 'closing', 'closed')),
    due_at            timestamptz,
    due_for           text CHECK (due_for IN ('step', 'stage', 'confirm', 'accept', 'close')),
    version           integer NOT NULL,
    attempt           integer NOT NULL,
    step              smallint,
    holder_id         bigint REFERENCES person,
    offered_to_id     bigint REFERENCES person,
    before_closing    text,
    cause             text,
    action            text,
    exhausted_at      timestamptz,
    closed_at         timestamptz,
    CHECK ((closed_at IS NULL) = (due_at IS NOT NULL)),
    CHECK ((closed_at IS NULL) = (due_for IS NOT NULL)),
    CHECK ((closed_at IS NULL) = (stage <> 'closed')),
    CHECK (stage <> 'open' OR holder_id IS NULL),
    CHECK (stage NOT IN ('claimed', 'on_way', 'arrived', 'closing') OR holder_id IS NOT NULL)
);
CREATE UNIQUE INDEX alert_open_key ON alert (key) WHERE closed_at IS NULL;
CREATE INDEX alert_due ON alert (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX alert_zone ON alert (zone_id, id DESC);
CREATE INDEX alert_resident ON alert (resident_id);

-- The timeline: codes and parameters (ids, never names), with the evidence copied in.
CREATE TABLE alert_entry (
    alert_id bigint NOT NULL REFERENCES alert,
    seq      integer NOT NULL,
    at       timestamptz NOT NULL,
    given_at timestamptz,
    code     text NOT NULL,
    params   jsonb NOT NULL,
    schema   integer NOT NULL DEFAULT 1,
    actor_id bigint REFERENCES person,
    PRIMARY KEY (alert_id, seq)
);

-- The outbox. `hidden_until` follows the database's clock: it is the lease while a page is sent, the back-off between.
CREATE TABLE page (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid            uuid NOT NULL UNIQUE,
    alert_id       bigint NOT NULL REFERENCES alert,
    attempt        integer NOT NULL,
    contact_id     bigint NOT NULL REFERENCES contact,
    person_id      bigint NOT NULL REFERENCES person,
    severity       smallint NOT NULL,
    state          text NOT NULL CHECK (state IN ('queued', 'leased', 'handed_over', 'failed', 'withdrawn')),
    tries          smallint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL,
    due_at         timestamptz,
    hidden_until   timestamptz NOT NULL DEFAULT '-infinity',
    leased_by      text,
    handed_over_at timestamptz,
    reason         text,
    UNIQUE (alert_id, attempt, contact_id),
    CHECK ((state IN ('queued', 'leased')) = (due_at IS NOT NULL)),
    CHECK ((state = 'leased') = (leased_by IS NOT NULL))
);
CREATE INDEX page_due ON page (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX page_person ON page (person_id, alert_id);

-- An answer is taken once: the same key gives the same reply again.
CREATE TABLE answer (
    person_id   bigint NOT NULL REFERENCES person,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 128),
    alert_id    bigint NOT NULL REFERENCES alert,
    request     bytea NOT NULL,
    reply       jsonb NOT NULL,
    schema      integer NOT NULL DEFAULT 1,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, key)
);

-- Audit --------------------------------------------------------------------------------------------------------------

-- Who did or looked at what: ids and parameters, in the transaction of what they tell of, and never changed.
CREATE TABLE audit (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor_id bigint REFERENCES person,
    action   text NOT NULL,
    object   text NOT NULL,
    object_id bigint,
    params   jsonb NOT NULL DEFAULT '{}',
    schema   integer NOT NULL DEFAULT 1
);
CREATE INDEX audit_object ON audit (object, object_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP;
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER alert_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
