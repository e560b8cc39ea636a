-- Rollups: what was said and what alerts came to, counted per hour and per local day, for longer than what they are made of.
--
-- Every rollup is a view with the public name. Here it shows a table `…_kept`, which the gateway fills
-- (gateway/store/rollups.py); where TimescaleDB is, 0017 lets it show a continuous aggregate beside what was kept before.
-- Hours are whole hours of UTC, which are whole hours in Oslo too; days begin at midnight in Oslo.

-- What became of an alert, without anything that points at a person, a home or a device: it stays when they are erased.
-- Times are cut to the hour, so that a row cannot be found again by its moment.
CREATE TABLE alert_fact (
    raised_at       timestamptz NOT NULL CHECK (raised_at = date_trunc('hour', raised_at, 'UTC')),
    closed_at       timestamptz NOT NULL CHECK (closed_at = date_trunc('hour', closed_at, 'UTC')),
    zone_id         bigint NOT NULL,
    condition       text NOT NULL,
    vkp_code        text,
    kind            text,
    severity        smallint NOT NULL,
    track           text NOT NULL,
    cause           text,
    answer_seconds  integer CHECK (answer_seconds >= 0),
    on_site_seconds integer CHECK (on_site_seconds >= 0),
    close_seconds   integer NOT NULL CHECK (close_seconds >= 0)
);
CREATE INDEX alert_fact_raised ON alert_fact (raised_at);
CREATE INDEX alert_fact_closed ON alert_fact (closed_at);

INSERT INTO alert_fact
SELECT date_trunc('hour', a.raised_at, 'UTC'), date_trunc('hour', a.closed_at, 'UTC'), a.zone_id, a.condition, a.vkp_code, d.kind,
       a.severity, a.track, a.cause, extract(epoch FROM e.answered_at - a.raised_at),
       extract(epoch FROM e.arrived_at - a.raised_at), greatest(0, extract(epoch FROM a.closed_at - a.raised_at))
FROM alert a LEFT JOIN device d ON d.id = a.device_id
CROSS JOIN LATERAL (
    SELECT min(greatest(coalesce(given_at, at), a.raised_at)) FILTER (WHERE code IN ('claimed', 'on_way', 'arrived', 'closing')) AS answered_at,
           min(greatest(coalesce(given_at, at), a.raised_at)) FILTER (WHERE code = 'arrived') AS arrived_at
    FROM alert_entry WHERE alert_id = a.id) e
WHERE a.closed_at IS NOT NULL;

-- A number that a device gave, where it is one and can be true.
CREATE FUNCTION reading(fields jsonb, name text, lowest numeric, highest numeric) RETURNS real
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(fields -> name) = 'number'
                THEN CASE WHEN (fields -> name)::numeric BETWEEN lowest AND highest THEN (fields -> name)::real END END
$$;

-- How a device was: signs of life, battery (percent), radio strength (dBm).
CREATE TABLE device_health_hourly_kept (
    bucket          timestamptz NOT NULL,
    device_id       bigint NOT NULL,
    installation_id bigint,
    messages        integer NOT NULL,
    battery_min     real,
    battery_last    real,
    signal_min      real,
    signal_sum      double precision,
    signal_count    integer NOT NULL,
    UNIQUE NULLS NOT DISTINCT (device_id, bucket, installation_id)
);
CREATE INDEX device_health_hourly_kept_bucket ON device_health_hourly_kept USING brin (bucket);
CREATE TABLE device_health_daily_kept (LIKE device_health_hourly_kept);
ALTER TABLE device_health_daily_kept ADD UNIQUE NULLS NOT DISTINCT (device_id, bucket, installation_id);
CREATE INDEX device_health_daily_kept_bucket ON device_health_daily_kept USING brin (bucket);

-- How much happened, by what the device of a fitting said. This tells how somebody lives.
CREATE TABLE activity_hourly_kept (
    bucket          timestamptz NOT NULL,
    installation_id bigint NOT NULL,
    kind            text NOT NULL,
    type            text NOT NULL,
    count           integer NOT NULL,
    UNIQUE (installation_id, bucket, kind, type)
);
CREATE INDEX activity_hourly_kept_bucket ON activity_hourly_kept USING brin (bucket);
CREATE TABLE activity_daily_kept (LIKE activity_hourly_kept);
ALTER TABLE activity_daily_kept ADD UNIQUE (installation_id, bucket, kind, type);
CREATE INDEX activity_daily_kept_bucket ON activity_daily_kept USING brin (bucket);

-- The same of a whole zone, as of where the homes were when it was counted.
CREATE TABLE zone_activity_hourly_kept (
    bucket  timestamptz NOT NULL,
    zone_id bigint NOT NULL,
    kind    text NOT NULL,
    type    text NOT NULL,
    count   integer NOT NULL,
    UNIQUE (zone_id, bucket, kind, type)
);

-- Alerts by the time they were raised, once they are closed. `cause` is null where nobody closed it: it was over by itself.
-- The seconds are from raising to the first answer, to the first arrival and to the end; 60 and 180 s and 30 min are what
-- answers are measured by.
CREATE TABLE alert_hourly_kept (
    bucket             timestamptz NOT NULL,
    zone_id            bigint NOT NULL,
    condition          text NOT NULL,
    kind               text,
    severity           smallint NOT NULL,
    track              text NOT NULL,
    cause              text,
    count              integer NOT NULL,
    false_alarms       integer NOT NULL,
    answered           integer NOT NULL,
    answered_in_60_s   integer NOT NULL,
    answered_in_180_s  integer NOT NULL,
    answer_seconds     bigint NOT NULL,
    on_site            integer NOT NULL,
    on_site_in_30_min  integer NOT NULL,
    on_site_seconds    bigint NOT NULL,
    close_seconds      bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (zone_id, bucket, condition, kind, severity, track, cause)
);
CREATE TABLE alert_daily_kept (LIKE alert_hourly_kept);
ALTER TABLE alert_daily_kept ADD UNIQUE NULLS NOT DISTINCT (zone_id, bucket, condition, kind, severity, track, cause);

CREATE VIEW device_health_hourly AS SELECT * FROM device_health_hourly_kept;
CREATE VIEW device_health_daily AS SELECT * FROM device_health_daily_kept;
CREATE VIEW activity_hourly AS SELECT * FROM activity_hourly_kept;
CREATE VIEW activity_daily AS SELECT * FROM activity_daily_kept;
CREATE VIEW zone_activity_hourly AS SELECT * FROM zone_activity_hourly_kept;
CREATE VIEW alert_hourly AS SELECT * FROM alert_hourly_kept;
CREATE VIEW alert_daily AS SELECT * FROM alert_daily_kept;

-- How far each is reckoned; `live_since`: from when on a continuous aggregate is shown, null for all of the time.
CREATE TABLE rollup (
    name            text PRIMARY KEY,
    reckoned_until  timestamptz,
    live_since      timestamptz
);
INSERT INTO rollup (name) VALUES ('device_health_hourly'), ('device_health_daily'), ('activity_hourly'), ('activity_daily'),
                                 ('zone_activity_hourly'), ('alert_hourly'), ('alert_daily');
