"""Spec 7.4, video_input."""

import asyncio

import pytest

from server.flow.run.source import SourceNode
from server.flow.status import StatusCode
from tests.flow.units.support import opened, refusal_of


@pytest.mark.parametrize(("options", "sessions"), [({}, 1), ({"repeat": "3"}, 3), ({"repeat": "0"}, 1)])
async def test_7_4_each_session_is_a_dummy_byte_with_the_address_as_stream_meta(
    options: dict[str, str], sessions: int
) -> None:
    async with opened("video_input", {"source_url": "rtsp://h/1", **options}) as (flow, script):
        source = flow._nodes["unit"]
        assert isinstance(source, SourceNode)
        while source.fed < sessions or source.sessions:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
    assert [each.as_bytes() for each in script.seen] == [b"\0"] * sessions
    assert script.metas == [{"source_url": "rtsp://h/1"}] * sessions


async def test_7_4_more_sessions_than_the_external_queue_holds() -> None:
    options = {"source_url": "f", "repeat": "50", "queue_size_external": "2"}
    async with opened("video_input", options) as (_, script):
        while len(script.seen) < 50:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_7_4_the_address_is_required() -> None:
    error = await refusal_of("video_input", {"repeat": "2"})
    assert error.code is StatusCode.BADCONF
    assert "source_url is required" in error.messages[-1]
