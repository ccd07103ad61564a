"""What a receive unit counts of its requests."""

from collections.abc import AsyncIterator

import httpx

from server.flow.flow import FlowLimits
from server.flow.http.tally import MOST_STATUSES, OTHER, HttpTally
from tests.flow.http.support import example_plan, free_port, running


async def more_than_allowed() -> AsyncIterator[bytes]:
    for _ in range(2):
        yield b"x" * 600


async def test_requests_are_counted_by_status() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        running(example_plan(port), FlowLimits(max_request_bytes=1000)) as flow,
        httpx.AsyncClient() as http,
    ):
        wanted = {
            f"{url}/example": 200,
            f"{url}/example/more": 200,
            f"{url}/other": 404,
            f"{url}/health": 404,
        }
        for target, status in wanted.items():
            assert (await http.post(target, content=b"body")).status_code == status
        assert (await http.post(f"{url}/example", content=b"x" * 1001)).status_code == 413
        assert (await http.post(f"{url}/example", content=more_than_allowed())).status_code == 413
        receive, reply = sorted(flow.counters(), key=lambda node: node.node)
    assert receive.http is not None
    assert receive.http.statuses == {200: 2, 413: 2}
    assert receive.http.durations.count == 4
    assert receive.http.in_flight == 0
    assert reply.http is None


def test_statuses_beyond_the_most_are_counted_together() -> None:
    tally = HttpTally()
    for status in range(200, 200 + MOST_STATUSES + 3):
        tally.note(status, 0.001)
    statuses = tally.read(0).statuses
    assert len(statuses) == MOST_STATUSES + 1
    assert statuses[OTHER] == 3
