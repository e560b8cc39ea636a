"""The verdict on messages and states: what was promised is stored, once and as it was said, and nothing else is. Pure.

Theory
    A message has an id, and is stored once. A state has none: each time that the broker acknowledged it asks for a row of its
    own, also where it says the same as the one before. A broker that stays delivers it to who is subscribed without the mark
    of what is retained; the copies with that mark, which come with each subscription, and repetitions at QoS 1 are more rows.
    So there are at least as many without the mark as were promised, and which state counts in the end is the newest, of
    whatever was killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from devices.health import PRESENCE
from devices.model import MessageClass
from tests.torture.memory import Saying, State, States
from tests.torture.stored import Idless, SaidRow, Stored
from tests.torture.told import Finding, Told, alarms_first, named


def judge(told: Told, stored: Stored) -> Iterator[Finding]:
    """What does not hold of them."""
    yield from _promises_kept(told, stored)
    yield from _stored_once(told, stored)
    yield from _stored_as_said(told, stored)
    yield from _nothing_invented(told, stored)
    yield from _states_kept(told.memory.states, stored)
    yield from _healed(told)


def _promises_kept(told: Told, stored: Stored) -> Iterator[Finding]:
    memory = told.memory
    for word in alarms_first(told, memory.receipted - stored.messages.keys()):
        yield Finding("a receipt is a promise", f"{named(told, word)} has a receipt and is not stored")
    for word in alarms_first(told, memory.promised - memory.receipted - stored.messages.keys()):
        yield Finding("an acknowledgement is a promise", f"{named(told, word)} was acknowledged and is not stored")


def _stored_once(told: Told, stored: Stored) -> Iterator[Finding]:
    for word, rows in sorted(stored.messages.items(), key=lambda each: each[0]):
        if len(rows) > 1:
            yield Finding("stored once", f"{named(told, word)} is stored {len(rows)} times")


def _stored_as_said(told: Told, stored: Stored) -> Iterator[Finding]:
    for word, rows in sorted(stored.messages.items(), key=lambda each: each[0]):
        said = told.memory.said.get(word)
        for row in rows if said is not None else ():
            assert said is not None
            for what, was, is_ in _differing(said, row):
                yield Finding("stored as said", f"{named(told, word)} has the {what} {is_}, and said {was}")


def _differing(said: Saying, row: SaidRow) -> Iterator[tuple[str, object, object]]:
    """What of it, as it was said, and as it is stored."""
    if row.type != said.type:
        yield "type", said.type, row.type
    if row.occurred_at != said.at:
        yield "time", said.at.isoformat(), row.occurred_at.isoformat()
    if (row.message_class == MessageClass.ALARM) != said.alarm:
        yield "class", "an alarm" if said.alarm else "no alarm", row.message_class
    if row.fields != said.fields:
        yield "fields", dict(said.fields), row.fields


def _nothing_invented(told: Told, stored: Stored) -> Iterator[Finding]:
    for word in sorted(stored.messages.keys() - told.memory.said.keys()):
        yield Finding("nothing is invented", f"{word.address} message {word.message_id} is stored and was never said")
    for each in stored.idless:
        if _state_of(each) not in told.memory.states.said:
            yield Finding("nothing is invented", f"{each.address} never said, without an id, {each.type} {each.fields}")
    for topic, why in stored.quarantine:
        yield Finding("nothing is invented", f"a whole message on {topic} is in quarantine: {why:.200}")


def _states_kept(states: States, stored: Stored) -> Iterator[Finding]:
    for state, times in sorted(missing(states, stored.idless).items()):
        told = f"{state} was acknowledged {states.promised[state]} times, and {times} of them are not stored"
        yield Finding("an acknowledgement is a promise", told)
    for address, online in wrong(states, stored.online).items():
        yield Finding("the newest state counts", f"{State(address, states.last[address])} was said last, not {online}")


def missing(states: States, idless: Sequence[Idless]) -> Counter[State]:
    """How many of the promised states are not stored."""
    found: Counter[State] = Counter()
    for each in idless:
        state = _state_of(each)
        if state is not None and not each.retained:
            found[state] += each.times
    return states.promised - found


def wrong(states: States, online: Mapping[str, bool | None]) -> dict[str, bool | None]:
    """The devices that are not as was said last, and how they are."""
    return {address: online.get(address) for address, last in states.last.items() if online.get(address) is not last}


def _state_of(row: Idless) -> State | None:
    """What a row without an id says, if it is a state."""
    plain = row.type == PRESENCE and row.fields.keys() == {"online"}
    return State(row.address, row.fields["online"]) if plain else None


def _healed(told: Told) -> Iterator[Finding]:
    for word in alarms_first(told, told.kept):
        yield Finding("it heals", f"{named(told, word)} is still kept by its device")
