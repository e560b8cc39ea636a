"""What providers of SMS and calls tell us."""

from __future__ import annotations

from alerts.channels._callback import CalledBack
from alerts.phoned import words
from gateway import callbacks
from gateway.callbacks import Spoken
from gateway.front.calls import Calls


class CallbackCalls(Calls):
    """What is called back. Each proves that it comes from whom we asked: NotFound or NotAllowed for all else."""

    @property
    def public_url(self) -> str:
        """Where this gateway is reached from outside, without a slash at the end."""
        return self._reaching.public_url

    async def reported(self, channel: str, call: CalledBack) -> None:
        """What became of a page. Invalid for a report that cannot be read."""
        report = callbacks.read_report(self._reaching.channels, channel, call)
        now = self._clock.now()
        if report is not None:
            await self._database.run(lambda each: callbacks.report(each, channel, report, now, self._cache))

    async def answered(self, channel: str, call: CalledBack) -> Spoken:
        """What somebody wrote, or pressed in a call, and what is said to that. Invalid for what cannot be read."""
        hears, said = callbacks.read_answer(self._reaching.channels, channel, call)
        now = self._clock.now()
        if said is None:
            return Spoken("text/plain", "")
        told = await self._database.run(lambda each: callbacks.answer(each, channel, said, now, self._cache))
        return Spoken(*hears.reply(words(told.outcome, told.zone, told.language), told.language))
