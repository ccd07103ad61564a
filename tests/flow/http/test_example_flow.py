"""The flow of the API page, end to end: compiled, opened, spoken to over real sockets."""

import httpx

from tests.flow.http.support import example_plan, free_port, running


async def test_the_example_answers_what_it_was_sent() -> None:
    port = free_port()
    async with running(example_plan(port)), httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/example", content=b"hello")
    assert answer.status_code == 200
    assert answer.content == b"hello"
    assert answer.headers["content-type"] == "text/plain;charset=utf-8"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "content-security-policy" in answer.headers
    assert "set-cookie" not in answer.headers
    assert "user-agent" not in answer.headers


async def test_a_body_of_fifty_megabytes_comes_back() -> None:
    port = free_port()
    body = bytes(range(256)) * (50 * 4096)
    async with running(example_plan(port)), httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/example", content=body)
    assert answer.content == body
