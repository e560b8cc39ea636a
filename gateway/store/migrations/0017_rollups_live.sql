-- requires: timescaledb
-- Rollups as continuous aggregates, refreshed by the gateway. Days are made of hours, and zones of fittings, so that raw data
-- is read once.
--
-- Builds under the Apache licence have no continuous aggregates; there the plain tables serve as they do elsewhere.
--
-- Where the plain tables have been filled before, they go on to be shown for all days before the one that was last begun;
-- raw data of that day is there, as it is kept for longer than a day. Alerts are reckoned anew from facts, which are all kept.

DO $$
DECLARE
    each record;
BEGIN
    IF current_setting('timescaledb.license') <> 'timescale' THEN
        RETURN;
    END IF;

    PERFORM create_hypertable('alert_fact', by_range('raised_at', INTERVAL '90 days'), create_default_indexes => false,
                         migrate_data => true);

    CREATE MATERIALIZED VIEW device_health_hourly_live
    WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false,
          timescaledb.chunk_interval = '7 days') AS
    SELECT time_bucket(INTERVAL '1 hour', received_at) AS bucket, device_id, installation_id, count(*)::integer AS messages,
           min(reading(fields, 'battery', 0, 100)) AS battery_min,
           (array_agg(reading(fields, 'battery', 0, 100) ORDER BY received_at DESC, id DESC)
               FILTER (WHERE reading(fields, 'battery', 0, 100) IS NOT NULL))[1] AS battery_last,
           min(reading(fields, 'rssi', -200, 50)) AS signal_min,
           sum(reading(fields, 'rssi', -200, 50)::double precision) AS signal_sum,
           count(reading(fields, 'rssi', -200, 50))::integer AS signal_count
    FROM device_health
    WHERE NOT (flags && '{retained,decoded_again}') AND NOT (type = 'presence' AND fields ->> 'online' = 'false')
    GROUP BY 1, 2, 3 WITH NO DATA;
    CREATE INDEX ON device_health_hourly_live (device_id, bucket);

    CREATE MATERIALIZED VIEW device_health_daily_live
    WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false,
          timescaledb.chunk_interval = '28 days') AS
    SELECT time_bucket(INTERVAL '1 day', h.bucket, 'Europe/Oslo') AS bucket, device_id, installation_id,
           sum(messages)::integer AS messages, min(battery_min) AS battery_min,
           (array_agg(battery_last ORDER BY h.bucket DESC) FILTER (WHERE battery_last IS NOT NULL))[1] AS battery_last,
           min(signal_min) AS signal_min, sum(signal_sum) AS signal_sum, sum(signal_count)::integer AS signal_count
    FROM device_health_hourly_live h
    GROUP BY time_bucket(INTERVAL '1 day', h.bucket, 'Europe/Oslo'), 2, 3 WITH NO DATA;
    CREATE INDEX ON device_health_daily_live (device_id, bucket);

    CREATE MATERIALIZED VIEW activity_hourly_live
    WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false,
          timescaledb.chunk_interval = '7 days') AS
    SELECT time_bucket(INTERVAL '1 hour', received_at) AS bucket, installation_id, kind, type, count(*)::integer AS count
    FROM observation
    WHERE installation_id IS NOT NULL AND NOT (flags && '{retained,decoded_again}')
    GROUP BY 1, 2, 3, 4 WITH NO DATA;
    CREATE INDEX ON activity_hourly_live (installation_id, bucket);

    CREATE MATERIALIZED VIEW activity_daily_live
    WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false,
          timescaledb.chunk_interval = '28 days') AS
    SELECT time_bucket(INTERVAL '1 day', h.bucket, 'Europe/Oslo') AS bucket, installation_id, kind, type,
           sum(count)::integer AS count
    FROM activity_hourly_live h
    GROUP BY time_bucket(INTERVAL '1 day', h.bucket, 'Europe/Oslo'), 2, 3, 4 WITH NO DATA;
    CREATE INDEX ON activity_daily_live (installation_id, bucket);

    CREATE MATERIALIZED VIEW zone_activity_hourly_live
    WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false,
          timescaledb.chunk_interval = '28 days') AS
    SELECT time_bucket(INTERVAL '1 hour', h.bucket) AS bucket, w.zone_id, h.kind, h.type, sum(h.count)::integer AS count
    FROM activity_hourly_live h JOIN installation i ON i.id = h.installation_id JOIN dwelling w ON w.id = i.dwelling_id
    GROUP BY time_bucket(INTERVAL '1 hour', h.bucket), 2, 3, 4 WITH NO DATA;
    CREATE INDEX ON zone_activity_hourly_live (zone_id, bucket);

    CREATE MATERIALIZED VIEW alert_hourly_live
    WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false,
          timescaledb.chunk_interval = '365 days') AS
    SELECT time_bucket(INTERVAL '1 hour', raised_at) AS bucket, zone_id, condition, kind, severity, track, cause,
           count(*)::integer AS count, count(*) FILTER (WHERE cause IN ('false_by_device', 'false_by_user'))::integer AS false_alarms,
           count(answer_seconds)::integer AS answered,
           count(*) FILTER (WHERE answer_seconds <= 60)::integer AS answered_in_60_s,
           count(*) FILTER (WHERE answer_seconds <= 180)::integer AS answered_in_180_s,
           coalesce(sum(answer_seconds), 0) AS answer_seconds, count(on_site_seconds)::integer AS on_site,
           count(*) FILTER (WHERE on_site_seconds <= 1800)::integer AS on_site_in_30_min,
           coalesce(sum(on_site_seconds), 0) AS on_site_seconds, sum(close_seconds) AS close_seconds
    FROM alert_fact GROUP BY 1, 2, 3, 4, 5, 6, 7 WITH NO DATA;
    CREATE INDEX ON alert_hourly_live (zone_id, bucket);

    CREATE MATERIALIZED VIEW alert_daily_live
    WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false,
          timescaledb.chunk_interval = '3650 days') AS
    SELECT time_bucket(INTERVAL '1 day', h.bucket, 'Europe/Oslo') AS bucket, zone_id, condition, kind, severity, track, cause,
           sum(count)::integer AS count, sum(false_alarms)::integer AS false_alarms, sum(answered)::integer AS answered,
           sum(answered_in_60_s)::integer AS answered_in_60_s, sum(answered_in_180_s)::integer AS answered_in_180_s,
           sum(answer_seconds)::bigint AS answer_seconds, sum(on_site)::integer AS on_site,
           sum(on_site_in_30_min)::integer AS on_site_in_30_min, sum(on_site_seconds)::bigint AS on_site_seconds,
           sum(close_seconds)::bigint AS close_seconds
    FROM alert_hourly_live h
    GROUP BY time_bucket(INTERVAL '1 day', h.bucket, 'Europe/Oslo'), 2, 3, 4, 5, 6, 7 WITH NO DATA;
    CREATE INDEX ON alert_daily_live (zone_id, bucket);

    -- What was kept goes on to be shown for before the day that was last begun; from then on, what is live.
    UPDATE rollup SET live_since = (
        SELECT date_trunc('day', min(reckoned_until), 'Europe/Oslo') FROM rollup WHERE name NOT LIKE 'alert%')
    WHERE name NOT LIKE 'alert%';
    UPDATE rollup SET reckoned_until = live_since;

    FOR each IN SELECT name, coalesce(live_since, '-infinity') AS since FROM rollup LOOP
        EXECUTE format('DELETE FROM %I WHERE bucket >= %L', each.name || '_kept', each.since);
        EXECUTE format('CREATE OR REPLACE VIEW %I AS SELECT * FROM %I UNION ALL SELECT * FROM %I%s', each.name,
                       each.name || '_kept', each.name || '_live',
                       CASE WHEN isfinite(each.since) THEN format(' WHERE bucket >= %L', each.since) ELSE '' END);
    END LOOP;
END
$$;
