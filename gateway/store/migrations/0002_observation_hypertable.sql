-- requires: timescaledb
-- Observations in chunks of a day by the time we received them. Without TimescaleDB the table stays a plain one with
-- the same name and columns, and this step is left for the day the extension is there.
SELECT create_hypertable('observation', by_range('received_at', INTERVAL '1 day'), create_default_indexes => false,
                         migrate_data => true);
