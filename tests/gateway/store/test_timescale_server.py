"""The TimescaleDB that tests run against is the real extension, spoken to over the wire protocol by psycopg."""

import psycopg


def test_the_extension_makes_hypertables_and_time_buckets(timescale_url: str) -> None:
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        connection.execute("CREATE TABLE heard (received_at timestamptz NOT NULL, value float8)")
        connection.execute("SELECT create_hypertable('heard', by_range('received_at', interval '1 day'))")
        connection.execute(
            "INSERT INTO heard SELECT '2026-01-01 00:00Z'::timestamptz + n * interval '1 minute', n"
            " FROM generate_series(0, 2999) n"
        )
        chunks = connection.execute("SELECT count(*) FROM show_chunks('heard')").fetchone()
        days = connection.execute(
            "SELECT count(*) FROM heard GROUP BY time_bucket('1 day', received_at) ORDER BY 1 DESC"
        ).fetchall()
    assert chunks == (3,)
    assert days == [(1440,), (1440,), (120,)]


def test_each_test_has_a_server_of_its_own(timescale_url: str) -> None:
    with psycopg.connect(timescale_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'").fetchone() == (0,)


def test_periods_can_exclude_each_other_without_a_further_extension(timescale_url: str) -> None:
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE stay (who int8, period tstzrange,"
            " EXCLUDE USING gist (int8range(who, who, '[]') WITH &&, period WITH &&))"
        )
        connection.execute("INSERT INTO stay VALUES (1, '[2026-01-01, 2026-02-01)'), (2, '[2026-01-01, 2026-02-01)')")
        try:
            connection.execute("INSERT INTO stay VALUES (1, '[2026-01-15, 2026-03-01)')")
        except psycopg.errors.ExclusionViolation as refused:
            assert refused.diag.constraint_name == "stay_int8range_period_excl"  # noqa: PT017 - pytest.raises closes late
        else:
            raise AssertionError("overlapping stays were accepted")
