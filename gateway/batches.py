"""A batch: messages as they came, and what they were decoded to (pure).

Rules
    A lane whose topics do not tell what comes on them takes what is its own; what is another lane's is in neither list.
    A decoder that crashes holds up nothing: what it crashed over is set apart, and an alarm where it may be one.
    Whatever is stored has its receipt, if it has an id that can be read: also what was stored before, and what is in quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from devices.dialects import dialect_of, dialects, lane_of
from devices.model import DecodeError, DeviceAddress, Lane, Message, MessageClass, Observation, Reason, crash_of
from devices.value import made
from gateway.rate import Flood
from gateway.stamping import Read
from gateway.store.quarantine import Quarantined

Receipt = tuple[str, bytes]
"""Our word to a device that its message is stored: topic and payload."""


@dataclass(slots=True)
class Batch:
    """Messages, and what they were decoded to: what could be read, and what could not; what another lane takes in is in
    neither. ``floods``: what the rate guard has held back of it."""

    messages: Sequence[Message] = ()
    read: list[Read] = field(default_factory=list)
    rejected: list[Quarantined] = field(default_factory=list)
    floods: list[Flood] = field(default_factory=list)

    @property
    def observed(self) -> list[Observation]:
        return [each.observation for each in self.read]


def decode(messages: Sequence[Message], lane: Lane) -> Batch:
    """What messages that came on a lane say. A lane whose topics do not tell what comes on them takes what is its own."""
    batch = Batch(messages)
    for message in messages:
        dialect = dialect_of(message.topic)
        try:
            said = dialect.decode(message)
        except DecodeError as error:
            if dialect.topics_tell or lane_of(error.message_class) is lane:
                batch.rejected.append(Quarantined(message, error))
            continue
        except Exception as error:  # noqa: BLE001 - a bug of ours must not hold up what comes behind it
            if dialect.topics_tell or lane is Lane.ALARM:
                batch.rejected.append(Quarantined(message, _undecoded(error, lane)))
            continue
        if dialect.topics_tell or lane_of(said.message_class) is lane:
            batch.read.append(made(Read, (message, said)))
    return batch


def _undecoded(error: Exception, lane: Lane) -> DecodeError:
    """A decoder has crashed: what came on the lane of alarms, or on both, is an alarm until somebody knows better."""
    message_class = MessageClass.ALARM if lane is Lane.ALARM else None
    return DecodeError(Reason.POISON, crash_of(error), message_class=message_class)


def joined(messages: Sequence[Message], parts: Iterable[Batch]) -> Batch:
    """A batch that was decoded in parts."""
    whole = Batch(messages)
    for part in parts:
        whole.read += part.read
        whole.rejected += part.rejected
    return whole


def halved(batch: Batch) -> tuple[Batch, Batch]:
    """In order of arrival. What the rate guard has held back is in neither half, and told with the first."""
    middle = len(batch.messages) // 2
    first = {id(each) for each in batch.messages[:middle]}
    return (
        Batch(
            batch.messages[:middle],
            [each for each in batch.read if id(each.message) in first],
            [each for each in batch.rejected if id(each.message) in first],
            batch.floods,
        ),
        Batch(
            batch.messages[middle:],
            [each for each in batch.read if id(each.message) not in first],
            [each for each in batch.rejected if id(each.message) not in first],
        ),
    )


def poisoned(batch: Batch, detail: str, *, of_site: bool = False) -> Batch:
    """A batch of one message as something that cannot be stored as what it is."""
    if batch.read:
        message, said = batch.read[0]
        error = DecodeError(Reason.POISON, detail, said.device, said.kind, said.message_class, said.message_id)
    else:
        refused = batch.rejected[0]
        message, error = refused.message, replace(refused.error, reason=Reason.POISON, detail=detail)
    return Batch([message], rejected=[Quarantined(message, error, of_site)], floods=batch.floods)


def spoken(batch: Batch, rejected: Sequence[Quarantined]) -> dict[DeviceAddress, datetime]:
    """When devices last said something that is not stored as said: they are alive all the same."""
    refused = [
        (each.error.device, each.message.received_at)
        for each in rejected
        if each.error.device is not None and not each.of_site
    ]
    held_back = [(each.device, each.at) for each in batch.floods if each.held_back]
    return dict(sorted([*refused, *held_back], key=lambda each: each[1]))


def receipts_for(batch: Batch, rejected: Sequence[Quarantined]) -> tuple[Receipt, ...]:
    """For all that is stored now and has a readable id: also what was stored before, and what is in quarantine. Each once, and
    none where the ecosystem has none."""
    of = {name: dialect.receipt for name, dialect in dialects().items()}
    found = [
        of[said.device.ecosystem](said.device, said.kind, said.message_id)
        for _, said in batch.read
        if said.message_id is not None
    ]
    found += [
        of[error.device.ecosystem](error.device, error.kind, error.message_id)
        for error in (each.error for each in rejected)
        if error.device is not None and error.kind is not None and error.message_id is not None
    ]
    return tuple(each for each in dict.fromkeys(found) if each is not None)
