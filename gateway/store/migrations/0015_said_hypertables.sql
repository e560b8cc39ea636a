-- requires: timescaledb
-- What was said in chunks by the time we received it, and compressed later (docs/storage.md says why in these). `observation`
-- may be one already, in chunks of a day: those that come are of a week.
SELECT create_hypertable('observation', by_range('received_at', INTERVAL '7 days'), create_default_indexes => false,
                         migrate_data => true, if_not_exists => true);
SELECT set_chunk_time_interval('observation', INTERVAL '7 days');
SELECT create_hypertable('device_health', by_range('received_at', INTERVAL '1 day'), create_default_indexes => false,
                         migrate_data => true);
SELECT create_hypertable('raw_message', by_range('received_at', INTERVAL '1 day'), create_default_indexes => false,
                         migrate_data => true);

-- Segments by all that retention asks for: what is due goes without being unpacked. Builds under the Apache licence have no
-- compression; all else works there.
DO $$
DECLARE
    name text;
    segments text;
BEGIN
    IF current_setting('timescaledb.license') = 'timescale' THEN
        FOR name, segments IN VALUES ('observation', 'device_id, kind, message_class'), ('device_health', 'device_id, kind'),
                                     ('raw_message', 'device_id') LOOP
            EXECUTE format('ALTER TABLE %I SET (timescaledb.compress, timescaledb.compress_segmentby = %L, '
                           'timescaledb.compress_orderby = ''received_at DESC, id DESC'')', name, segments);
        END LOOP;
    END IF;
END
$$;
