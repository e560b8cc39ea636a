"""Who may connect to the broker, and who may say what: accounts, access list, password file. Pure, but for chance.

Theory
    A device's user name is its topic below ``hv/v1/``: site/kind/address. So two sites may have a device of the same address,
    one pattern for all says that a device speaks as itself, and the list of those who may is the password file. A block for
    each device would say the same, and is worse: Mosquitto looks through such blocks one by one, and takes 6 s to start
    with 20,000 of them where it takes none with a pattern (measured).

    A colon separates the password file's columns and may be part of an address; in a user name it is written ``~``, which
    no address has. The pattern does not fit those few, so they have blocks.

    Passwords are made here, 18 bytes of chance each, and are kept nowhere: the file has a hash. With so much chance a slow
    hash would protect nothing, and would cost the broker when all devices come back at once; so it is Mosquitto's own 101
    rounds of PBKDF2.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from devices.dialects.native import PREFIX
from devices.model import MessageClass
from gateway.store.broker import Account
from gateway.store.municipality import CANARY

GATEWAY = "hjemmevakt"
"""The gateway's own account, where the settings name no other."""
UPWARD = tuple(each for each in MessageClass)
DOWNWARD = ("receipt", "command")
ROUNDS = 101


def user_name(account: Account) -> str:
    """As the device signs in."""
    return "/".join(account).replace(":", "~")


def access_list(sites: Sequence[str], accounts: Sequence[Account], gateway: str = GATEWAY) -> str:
    """Mosquitto's acl_file. What it does not allow is refused."""
    parts = [_HEAD, _for_gateway(sites, gateway), _FOR_DEVICES + _rules("pattern", f"{PREFIX}/%u")]
    odd = [each for each in accounts if user_name(each) != "/".join(each)]
    if odd:
        parts.append(_FOR_ODD + "\n\n".join(_block(each) for each in odd))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _for_gateway(sites: Sequence[str], gateway: str) -> str:
    lines = [_FOR_GATEWAY, f"user {gateway}", "topic read $SYS/broker/uptime", "topic read $SYS/broker/version"]
    for site in sites:
        lines += [f"topic read {PREFIX}/{site}/+/+/{each}" for each in UPWARD]
        lines += [f"topic write {PREFIX}/{site}/+/+/{each}" for each in DOWNWARD]
        lines.append(f"topic readwrite {PREFIX}/{site}/gateway/+/canary")
        lines += [f"topic write {PREFIX}/{site}/+/{CANARY}/alarm", f"topic read {PREFIX}/{site}/+/{CANARY}/receipt"]
    return "\n".join(lines)


def _block(account: Account) -> str:
    return f"user {user_name(account)}\n" + _rules("topic", "/".join((PREFIX, *account)))


def _rules(keyword: str, own: str) -> str:
    return "\n".join(
        [*(f"{keyword} write {own}/{each}" for each in UPWARD), *(f"{keyword} read {own}/{each}" for each in DOWNWARD)]
    )


_HEAD = """
# Who may say what. Made by `hjemmevakt broker config`; make it anew when there is a new site.
# What is not allowed here is refused. Who may sign in is in the password file.
"""
_FOR_GATEWAY = """\
# The gateway hears everything of its sites, sends receipts and commands, and hears itself (canaries, and the check of the
# broker, which asks for how long it has run). As the canary resident's device it speaks alarms, and reads their receipts."""
_FOR_DEVICES = """\
# A device's user name (%u) is site/kind/address. It speaks below its own topic only, and hears what is for itself.
"""
_FOR_ODD = """\
# Devices with a colon in their address, which a user name cannot have; there it is a ~.
"""


# Passwords ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passwords:
    """A password file: the ``text``; the passwords that were ``made`` for it, by user name; and accounts in it that are
    ``nobodys``: no device of ours, or not any more."""

    text: str
    made: Mapping[str, str]
    nobodys: Sequence[str]


def with_accounts(before: str, users: Sequence[str], renew: Collection[str] = ()) -> Passwords:
    """The file with an account for each user. Who has one keeps it; ``renew``: these get another password."""
    kept = {name: line for line in before.splitlines() if (name := line.partition(":")[0])}
    made = {user: secrets.token_urlsafe(18) for user in users if user not in kept or user in renew}
    lines = kept | {user: hashed(user, password, secrets.token_bytes(12)) for user, password in made.items()}
    known = set(users)
    return Passwords(
        "".join(f"{line}\n" for line in lines.values()), made, [each for each in kept if each not in known]
    )


def hashed(user: str, password: str, salt: bytes) -> str:
    """A line of the password file, as mosquitto_passwd writes it."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS, 64)
    return f"{user}:$7${ROUNDS}${_base64(salt)}${_base64(key)}"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
