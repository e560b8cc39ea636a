"""Facts: what became of an alert, for statistics that outlive it.

A fact is written once, in the transaction in which its alert is closed. It has no person, no home, no device and no text, and
its times are cut to the hour: it stays when an alert goes, and when a resident is erased. Notices are no care, and leave
none; neither does the canary.
"""

from __future__ import annotations

from gateway.store.db import Connection


async def note(connection: Connection, alert_id: int) -> None:
    """An alert that has just been closed, with its timeline."""
    await connection.execute(
        """INSERT INTO alert_fact (raised_at, closed_at, zone_id, condition, vkp_code, kind, severity, track, cause,
                                   cause_code, action, action_code, answer_seconds, on_site_seconds, close_seconds)
           SELECT date_trunc('hour', a.raised_at, 'UTC'), date_trunc('hour', a.closed_at, 'UTC'), a.zone_id, a.condition,
                  a.vkp_code, d.kind, a.severity, a.track, a.cause, a.cause_code, a.action, a.action_code,
                  extract(epoch FROM e.answered_at - a.raised_at),
                  extract(epoch FROM e.arrived_at - a.raised_at),
                  greatest(0, extract(epoch FROM a.closed_at - a.raised_at))
           FROM alert a LEFT JOIN device d ON d.id = a.device_id
           CROSS JOIN LATERAL (
               SELECT min(greatest(coalesce(given_at, at), a.raised_at)) FILTER (WHERE code IN ('claimed', 'on_way', 'arrived', 'closing'))
                          AS answered_at,
                      min(greatest(coalesce(given_at, at), a.raised_at)) FILTER (WHERE code = 'arrived') AS arrived_at
               FROM alert_entry WHERE alert_id = a.id) e
           WHERE a.id = %s AND a.closed_at IS NOT NULL AND NOT a.notice
             AND NOT EXISTS (SELECT FROM zone z WHERE z.id = a.zone_id AND z.kind = 'canary')""",
        (alert_id,),
    )
