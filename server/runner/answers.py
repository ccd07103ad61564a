"""What each engine last said of its nodes, asked for on demand."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

import msgspec

from server.engines.protocol import Counted
from server.jobs.ids import JobId
from server.runner.engines import Engine

ASKED_AT_ONCE = 32
ENGINE_SECONDS = 1.0
"""How long one engine may take; one that is stuck holds up others no longer."""
ROUND_SECONDS = 2.0
"""How long all of them may take together."""
STALE_SECONDS = 300.0
"""After so long without another answer, the last one is told no more."""


class Answer(msgspec.Struct, frozen=True):
    """`heard_at`: a time.monotonic()."""

    attempt: tuple[int, int]
    counted: Counted
    heard_at: float


class Answers:
    def __init__(self, round_seconds: float = ROUND_SECONDS, engine_seconds: float = ENGINE_SECONDS) -> None:
        self._round_seconds = round_seconds
        self._engine_seconds = engine_seconds
        self._last: dict[JobId, Answer] = {}
        self._hung: set[JobId] = set()

    async def ask(self, engines: Iterable[Engine]) -> int:
        """Asks all of them; how many did not answer. Those that were asked in vain the last time come last, and
        keep nobody waiting; of the others those first whose last answer is the oldest, should time run out."""
        wanted = sorted(engines, key=self._turn)
        self._last = {e.job_id: answer for e in wanted if (answer := self.of(e)) is not None}
        unheard = {engine.job_id for engine in wanted}
        self._hung &= unheard
        waiting = iter(wanted)
        askers = [
            asyncio.create_task(self._ask_each(waiting, unheard), name="ask engines") for _ in range(ASKED_AT_ONCE)
        ]
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._round_seconds):
                    await asyncio.gather(*askers)
        finally:
            for asker in askers:
                asker.cancel()
            await asyncio.gather(*askers, return_exceptions=True)
        return len(unheard)

    def of(self, engine: Engine) -> Answer | None:
        """What that very engine last said; None when it has not yet, or too long ago."""
        answer = self._last.get(engine.job_id)
        if answer is None or answer.attempt != (engine.incarnation, engine.attempt):
            return None
        return answer if monotonic() - answer.heard_at <= STALE_SECONDS else None

    def _turn(self, engine: Engine) -> tuple[bool, float]:
        answer = self._last.get(engine.job_id)
        return engine.job_id in self._hung, answer.heard_at if answer is not None else 0.0

    async def _ask_each(self, waiting: Iterable[Engine], unheard: set[JobId]) -> None:
        for engine in waiting:
            self._hung.add(engine.job_id)
            counted = await engine.handle.counters(self._engine_seconds)
            if counted is not None:
                attempt = (engine.incarnation, engine.attempt)
                self._last[engine.job_id] = Answer(attempt, counted, monotonic())
                self._hung.discard(engine.job_id)
                unheard.discard(engine.job_id)
