"""What is counted when a leg of the bench ends, whichever way it ends."""

import asyncio
import time

import pytest

from tests.bench.account import Account, Accounts


async def test_what_never_comes_is_waited_for_no_longer_than_anything_moves(migrated_url: str) -> None:
    accounts = Accounts(still=0.3)
    with accounts.of(migrated_url) as account:
        account.said = 4
        begun = time.monotonic()
        for message in ("a", "b", "b"):
            _store(account, message)
        assert begun <= await account.stored() <= time.monotonic() - 0.3
        await account.settled()
    assert (accounts.lost, accounts.duplicated) == (2, 1)


async def test_a_leg_whose_time_is_up_is_counted_all_the_same(migrated_url: str) -> None:
    accounts = Accounts(still=600)

    async def leg() -> None:
        with accounts.of(migrated_url) as account:
            account.said, account.besides = 3, lambda: 5
            _store(account, "a")
            await account.stored()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(leg(), 0.2)
    assert (accounts.lost, accounts.duplicated) == (2 + 5, 0)


def test_what_cannot_be_counted_is_lost(migrated_url: str) -> None:
    accounts = Accounts()
    with accounts.of(migrated_url) as account:
        account.said = 3
        account.look.run("DROP VIEW said CASCADE")
    assert accounts.lost == 3


def _store(account: Account, message_id: str) -> None:
    account.look.run(
        f"""INSERT INTO device_health (device_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields)
            VALUES (1, 'e_lock', 'status', 'heartbeat', '{message_id}', now(), now(), '{{}}', '{{}}')"""
    )
