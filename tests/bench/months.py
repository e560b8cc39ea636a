"""Months of a municipality's devices, written with COPY: about nine signs of life for each thing that happened, as many as are asked for.

Rows are in the order of time, as they would have come, so they lie on the disk as they would: what one device said is spread over
all of it. Things happen by day rather than at night. The same seed gives the same rows. Raw bytes are left out: no query here
reads them, and they are dropped after days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random

import psycopg

DAYS = 90
HEALTH_SHARE = 0.9
HAPPENS = {
    "fall_alarm": ("event\tworn", "event\tnot_worn", "alarm\tfall"),
    "medicine_dispenser": ("event\tdose_taken", "event\tdispensed", "event\trefilled"),
    "door_sensor": ("event\topened", "event\tclosed"),
    "e_lock": ("event\tlocked", "event\tunlocked"),
    "safety_alarm": ("event\tzone_left", "event\tzone_entered", "alarm\tbutton_pressed"),
    "fire_sensor": ("event\ttest", "event\tsilenced"),
}
BY_DAY = (1, 1, 1, 1, 1, 2, 4, 8, 10, 9, 8, 7, 7, 6, 6, 6, 7, 8, 7, 6, 5, 4, 3, 2)
"""How much happens in each hour of the day, beside the others."""
COLUMNS = "device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields"
PIECE = 20_000
"""Rows that leave in one piece."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A device in its home."""

    device: int
    installation: int
    kind: str


@dataclass(frozen=True, slots=True)
class Months:
    """``rows`` that these devices said until ``now``, of which nine in ten are signs of life."""

    fitted: tuple[Fitted, ...]
    rows: int
    now: datetime
    seed: int = 1

    @property
    def since(self) -> datetime:
        return self.now - timedelta(days=DAYS)

    def health(self) -> Iterator[str]:
        """Lines of ``device_health``: one device after the other, again and again, at a steady pace."""
        count = round(self.rows * HEALTH_SHARE)
        pace = DAYS * 86_400 / count
        begins = [f"{each.device}\t{each.installation}\t{each.kind}\tstatus\theartbeat\t" for each in self.fitted]
        ends = [f'\t{{}}\t{{"battery": {100 - n % 85}, "rssi": {-55 - n % 47}}}\n' for n in range(85 * 47)]
        for number in range(count):
            turn, place = divmod(number, len(begins))
            at = _text(self.since, number * pace)
            yield f"{begins[place]}h{turn}\t{at}\t{at}{ends[(turn // 20 + place) % len(ends)]}"

    def happened(self) -> Iterator[str]:
        """Lines of ``observation``, by the hour."""
        count, random = self.rows - round(self.rows * HEALTH_SHARE), Random(self.seed)
        kinds = {kind: tuple(f"\t{each}\t" for each in said) for kind, said in HAPPENS.items()}
        begins = [(f"{each.device}\t{each.installation}\t{each.kind}", kinds[each.kind]) for each in self.fitted]
        share, wanted, number = count / (DAYS * sum(BY_DAY)), 0.0, 0
        for hour in range(DAYS * 24):
            begin = self.since + timedelta(hours=hour)
            wanted += share * BY_DAY[(begin.hour + 1) % 24]
            for each in range(number, round(wanted)):
                device, said = random.choice(begins)
                at = _text(begin, 3600 * (each - number) / max(1, round(wanted) - number))
                yield f"{device}{said[each % len(said)]}o{each}\t{at}\t{at}\t{{}}\t{{}}\n"
            number = round(wanted)


def _text(since: datetime, seconds: float) -> str:
    """A moment as COPY takes it; seconds since 1970 would need a function."""
    return (since + timedelta(seconds=seconds)).isoformat()


def write(url: str, months: Months) -> None:
    """Both tables, one after the other, and how devices stand since."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table, lines in (("observation", months.happened()), ("device_health", months.health())):
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN".encode()) as copy:
                while piece := "".join(islice(lines, PIECE)):
                    copy.write(piece)
        connection.execute("SET max_parallel_maintenance_workers = 2")
        connection.execute("VACUUM ANALYZE")
        _states(connection, months)
        _alerts(connection, months)
        connection.execute("VACUUM ANALYZE")


def _states(connection: psycopg.Connection, months: Months) -> None:
    """Most devices spoke just now; one in fifty has been silent for days, one in forty is low."""
    connection.execute(
        """INSERT INTO device_state (device_id, last_seen, last_said_at, online, fields)
           SELECT id, at, at, id %% 60 > 0, jsonb_build_object('battery', CASE WHEN id %% 40 = 0 THEN 12 ELSE 80 END,
                                                              'rssi', -60 - (id %% 45)::int)
           FROM device, LATERAL (SELECT %(now)s - CASE WHEN id %% 50 = 0 THEN interval '4 days' ELSE interval '20 min' END AS at) a
           ON CONFLICT (device_id) DO UPDATE SET last_seen = excluded.last_seen, fields = excluded.fields""",
        {"now": months.now},
    )
    connection.execute(
        """INSERT INTO site_lane (site_id, lane, heard_until) SELECT s.id, lane, %(now)s FROM site s, unnest('{alarm,bulk}'::text[]) lane
           ON CONFLICT (site_id, lane) DO UPDATE SET heard_until = excluded.heard_until""",
        {"now": months.now},
    )


def _alerts(connection: psycopg.Connection, months: Months) -> None:
    """What became of alerts of the same months: one a day of every twenty devices. And some that are open."""
    connection.execute(
        """INSERT INTO alert_fact (raised_at, closed_at, zone_id, condition, vkp_code, kind, severity, track, cause, answer_seconds,
                                   on_site_seconds, close_seconds)
           SELECT at, at + interval '1 hour', z.ids[1 + n %% cardinality(z.ids)],
                  (ARRAY['fall', 'button_pressed', 'device_silent', 'battery_low', 'smoke', 'dose_missed', 'left_open'])[1 + n %% 7],
                  NULL, (ARRAY['fall_alarm', 'safety_alarm', 'e_lock'])[1 + n %% 3], 10 * (1 + n %% 4),
                  CASE WHEN n %% 7 IN (2, 3) THEN 'technical' ELSE 'care' END,
                  (ARRAY['real', 'false_by_user', 'false_by_device', 'test', 'other', NULL])[1 + (n * 7) %% 6],
                  n %% 240, n %% 3600, n %% 7200
           FROM (SELECT array_agg(id ORDER BY id) AS ids FROM zone WHERE kind = 'zone') z, generate_series(1, %(alerts)s) AS n,
                LATERAL (SELECT date_trunc('hour', %(since)s + n * (%(now)s - %(since)s) / %(alerts)s, 'UTC') AS at) a""",
        {
            "alerts": max(100, len(months.fitted) * DAYS // 20),
            "since": months.since,
            "now": months.now - timedelta(hours=2),
        },
    )
    connection.execute(
        """INSERT INTO alert (uid, key, condition, severity, track, site_id, zone_id, device_id, installation_id, dwelling_id,
                              occurred_at, raised_at, late_seconds, policy_version_id, policy, stage, due_at, due_for, version, attempt)
           SELECT gen_random_uuid(), 'bench:' || i.id, 'fall', 40, 'care', d.site_id, w.zone_id, d.id, i.id, w.id, %(now)s, %(now)s, 0,
                  (SELECT min(id) FROM policy_version), '{}', 'open', %(now)s, 'step', 1, 1
           FROM installation i JOIN device d ON d.id = i.device_id JOIN dwelling w ON w.id = i.dwelling_id WHERE i.id %% 100 = 0""",
        {"now": months.now},
    )


def fitted(url: str) -> tuple[Fitted, ...]:
    """The devices that speak here."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """SELECT d.id, i.id, d.kind FROM device d JOIN installation i ON i.device_id = d.id
               WHERE d.address LIKE 'b-%' ORDER BY d.id"""
        ).fetchall()
    return tuple(Fitted(*row) for row in rows)


NOW = datetime(2026, 3, 31, 10, 30, tzinfo=UTC)
"""When a bench's months end: a Tuesday, two days into summer time."""
