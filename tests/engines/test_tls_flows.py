"""https in engines: served on the host's socket, and an address of one job alone."""

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from server.engines.driver import EngineSpec, Failed, Ready
from server.engines.handle import LocalHandle
from server.engines.local import LocalDriver
from tests.engines.conftest import end, kill_host
from tests.engines.jobs import free_port, next_news

GRAPH = """
[graph]
format = "graphviz"
graphconf = '''digraph demo {{
  receive[flowunit=httpserver_sync_receive, endpoint="{endpoint}",
    cert="{folder}/cert.pem", key="{folder}/key.pem"]
  reply[flowunit=httpserver_sync_reply]
  receive:out_request_info -> reply:in_reply_info
}}'''
"""


@pytest.fixture
async def flows(state_dir: Path) -> AsyncIterator[LocalDriver]:
    driver = LocalDriver(state_dir)
    yield driver
    await end(driver, state_dir)


@pytest.fixture
def trust(tmp_path: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    mine = authority.issue_cert("127.0.0.1")
    mine.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def start(driver: LocalDriver, job_id: str, folder: Path, endpoint: str, attempt: int = 1) -> LocalHandle:
    source = GRAPH.format(endpoint=endpoint, folder=folder)
    spec = EngineSpec(
        job_id=job_id, incarnation=1, attempt=attempt, epoch=1, graph_format="toml", source=source, plan=None
    )
    return await driver.start(spec)


def answer_of(port: int, path: str, trust: ssl.SSLContext) -> bytes:
    client = http.client.HTTPSConnection("127.0.0.1", port, context=trust, timeout=10)
    client.request("POST", path, b"hello")
    body = client.getresponse().read()
    client.close()
    return body


async def test_a_job_serves_https_and_shares_its_address_with_no_other_job(
    flows: LocalDriver, state_dir: Path, tmp_path: Path, trust: ssl.SSLContext
) -> None:
    port = free_port()
    first = await start(flows, "a", tmp_path, f"https://127.0.0.1:{port}/a")
    ready = await next_news(first)
    assert isinstance(ready, Ready), ready
    assert ready.endpoints == (f"https://127.0.0.1:{port}/a",)
    for scheme in ("https", "http"):
        refused = await next_news(await start(flows, f"b-{scheme}", tmp_path, f"{scheme}://127.0.0.1:{port}/b"))
        assert isinstance(refused, Failed)
        assert "job a serves https there" in refused.message
        assert "choose another port" in refused.message
    assert await asyncio.to_thread(answer_of, port, "/a", trust) == b"hello"

    kill_host(state_dir)
    refused = await next_news(await start(flows, "c", tmp_path, f"https://127.0.0.1:{port}/c"))
    assert isinstance(refused, Failed)
    assert "job a serves https there" in refused.message
    assert await asyncio.to_thread(answer_of, port, "/a", trust) == b"hello"


async def test_the_next_attempt_of_a_job_serves_https_again(
    flows: LocalDriver, tmp_path: Path, trust: ssl.SSLContext
) -> None:
    port = free_port()
    for attempt in (1, 2):
        handle = await start(flows, "a", tmp_path, f"https://127.0.0.1:{port}", attempt)
        assert isinstance(await next_news(handle), Ready)
        assert await asyncio.to_thread(answer_of, port, "/", trust) == b"hello"
        await handle.kill()
