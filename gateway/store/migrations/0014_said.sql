-- What devices say, apart by what becomes of it. `observation`: alarms, events and results, of which people live.
-- `device_health`: what class `status` says, by far the most, and soon of no use. `raw_message`: the bytes of either, for
-- whoever mends a device; row by row the id of what was made of them. `said` is both without the bytes: what readers use.
--
-- Moved as a whole, in one transaction: nothing was released before it.

ALTER TABLE observation RENAME TO observation_before;

CREATE SEQUENCE said_id AS bigint;
SELECT setval('said_id', coalesce((SELECT max(id) FROM observation_before), 0) + 1, false);

CREATE TABLE observation (
    id              bigint NOT NULL DEFAULT nextval('said_id'),
    device_id       bigint NOT NULL,
    installation_id bigint,
    kind            text NOT NULL,
    message_class   text NOT NULL CONSTRAINT observation_class CHECK (message_class <> 'status'),
    type            text NOT NULL,
    message_id      text,
    occurred_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    flags           text[] NOT NULL,
    fields          jsonb NOT NULL
);
CREATE TABLE device_health (
    id              bigint NOT NULL DEFAULT nextval('said_id'),
    device_id       bigint NOT NULL,
    installation_id bigint,
    kind            text NOT NULL,
    message_class   text NOT NULL CONSTRAINT device_health_class CHECK (message_class = 'status'),
    type            text NOT NULL,
    message_id      text,
    occurred_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    flags           text[] NOT NULL,
    fields          jsonb NOT NULL
);
CREATE TABLE raw_message (
    id          bigint NOT NULL,
    device_id   bigint NOT NULL,
    received_at timestamptz NOT NULL,
    raw         bytea NOT NULL
);

INSERT INTO observation
SELECT id, device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields
FROM observation_before WHERE message_class <> 'status';
INSERT INTO device_health
SELECT id, device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields
FROM observation_before WHERE message_class = 'status';
INSERT INTO raw_message SELECT id, device_id, received_at, raw FROM observation_before;
DROP TABLE observation_before;

CREATE INDEX observation_device ON observation (device_id, received_at DESC);
CREATE INDEX observation_installation ON observation (installation_id, received_at DESC) WHERE installation_id IS NOT NULL;
-- A fitting is of one device: who asks for its health names the device, too. An index more is a tenth of all that storing costs.
CREATE INDEX device_health_device ON device_health (device_id, received_at DESC);
CREATE INDEX raw_message_received ON raw_message (received_at, id);

-- For what asks of all devices at once: rollups, and retention where there are no chunks.
CREATE INDEX observation_received ON observation USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX device_health_received ON device_health USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE VIEW said AS
SELECT id, device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields
FROM observation
UNION ALL
SELECT id, device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields
FROM device_health;
