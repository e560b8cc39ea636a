"""Mosquitto's configuration: one text, with what differs from place to place as arguments. Pure.

Versions
    Written for Mosquitto 2.0.11 (Debian 12) and newer. ``max_queued_messages 0`` is meant to be "no limit", but 2.0.16 hands
    out nothing with it, and up to 2.0.21 (Debian 13) it hangs up on devices; a large number means the same everywhere.
    2.1 calls ``acl_file`` and ``password_file`` old, and keeps them until 3.0.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.broker.access import access_list

ACL, PASSWORDS, CONFIGURATION = "hjemmevakt.acl", "hjemmevakt.passwd", "mosquitto.conf"
DEVICES_PORT, NEAR_PORT, FAR_PORT = 8883, 1883, 8884


def configuration(folder: str, *, far: bool = False) -> str:
    """mosquitto.conf. ``folder``: where the broker finds our two files; ``far``: the gateway is on another machine."""
    listener = _FAR if far else _NEAR
    return _TEXT.format(folder=folder.rstrip("/"), gateway=listener.strip(), tls=_TLS.strip(), port=DEVICES_PORT)


def examples() -> dict[str, str]:
    """What deploy/ shows, by file: the same texts, for a site and no devices."""
    return {CONFIGURATION: configuration("/etc/mosquitto"), "acl.example": access_list(["stavanger"], [])}


def files(folder: str, acl: str, passwords: str, *, far: bool) -> Sequence[tuple[str, str, int]]:
    """What is written: name, text and mode. What has secrets is for its owner alone."""
    return (
        (CONFIGURATION, configuration(folder, far=far), 0o644),
        (ACL, acl, 0o600),
        (PASSWORDS, passwords, 0o600),
    )


_TLS = """
cafile /etc/mosquitto/tls/ca.crt
certfile /etc/mosquitto/tls/server.crt
keyfile /etc/mosquitto/tls/server.key
tls_version tlsv1.2
"""
_NEAR = f"""
# The gateway, on this machine: nobody else gets here.
listener {NEAR_PORT} 127.0.0.1
"""
_FAR = f"""
# The gateway, from another machine. Let the firewall admit that machine, and no device: who signs in here chooses the name of
# the session, and with the gateway's name would take its place.
listener {FAR_PORT}
{_TLS.strip()}
"""
_TEXT = """\
# Mosquitto 2 for hjemmevakt. Made by `hjemmevakt broker config`; README.md in deploy/ says where it goes.
# Mosquitto's own defaults lose messages: it keeps 1,000 for a subscriber that is away and drops the rest.

# Who may connect, and who may say what.
allow_anonymous false
password_file {folder}/hjemmevakt.passwd
acl_file {folder}/hjemmevakt.acl

# Sessions and queued messages survive a restart. What came since the last save is lost when the broker is killed or the
# machine dies, which is why devices send alarms again until the gateway's receipt.
persistence true
persistence_location /var/lib/mosquitto/
autosave_interval 30

# While the gateway is away everything is kept for it, up to a size. A site has two sessions, and this is for each. It counts what
# messages carry: 256 MiB are about two million small ones, and take 1 GB of memory (0.5 kB each). Have that memory, or say less:
# a broker that runs out of it is killed, and loses everything.
max_queued_bytes 268435456
# By number there is no limit. It is not 0, "none", because that is broken in Mosquitto 2.0.16 to 2.0.21.
max_queued_messages 10000000
# No message of a device is larger; a giant one would hold up its lane.
message_size_limit 1048576

# How many messages the gateway may hold unacknowledged where it speaks MQTT 3.1.1: it stores two batches of up to 1,000 at a time, and has
# the next one ready. With MQTT 5 it says so itself, and what stands here is how much each device may send before the broker's word.
max_inflight_messages 4000
# Receipts go out at once, and do not wait for the acknowledgement of the packet before them (40 ms each).
set_tcp_nodelay true

# Sessions of clients that stay away for two months are forgotten. The gateway itself asks for 30 days (MQTT 5).
persistent_client_expiration 2m

# Devices, with TLS. A device's session has the name of its account, so that none takes the place of another, or the gateway's.
listener {port}
{tls}
use_username_as_clientid true

{gateway}
"""
