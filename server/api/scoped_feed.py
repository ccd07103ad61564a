"""The feed as it looks to who is limited to jobs with certain labels."""

import asyncio

import msgspec

from server.api.feed import Fed, Feed, Part
from server.api.visible import VisibleJobs
from server.jobs.access import Labels
from server.jobs.ids import Position
from server.store.history import Wanted


class ScopedFeed:
    """As Feed, for reading. What belongs to no job is not for those with a scope."""

    def __init__(self, feed: Feed, visible: VisibleJobs, scope: Labels) -> None:
        self._feed = feed
        self._visible = visible
        self._scope = scope

    @property
    def position(self) -> Position:
        return self._feed.position

    @property
    def closed(self) -> bool:
        return self._feed.closed

    async def after(self, position: Position, limit: int, wanted: Wanted) -> Part:
        return await self._shown(await self._feed.after(position, limit, wanted))

    async def read(self, position: Position, limit: int, wanted: Wanted) -> Part:
        return await self._shown(await self._feed.read(position, limit, wanted))

    async def first(self, position: Position, limit: int, wanted: Wanted, seconds: float) -> Part:
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        while True:
            left = deadline - now()
            part = await self._shown(await self._feed.first(position, limit, wanted, left))
            if part.events or part.head < position or self.closed or left <= 0:
                return part
            position = part.looked_at

    async def grown(self, position: Position, seconds: float) -> None:
        await self._feed.grown(position, seconds)

    async def _shown(self, part: Part) -> Part:
        shown = [fed for fed in part.events if await self._is_shown(fed)]
        return msgspec.structs.replace(part, events=shown)

    async def _is_shown(self, fed: Fed) -> bool:
        incarnation = fed.entry.incarnation
        return incarnation is not None and await self._visible.is_life_visible(
            fed.job_id, incarnation, self._scope
        )
