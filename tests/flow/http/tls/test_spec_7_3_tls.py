"""Spec 7.3, TLS: the options cert, key, passwd and key_pass; what clients of https endpoints meet."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from server.flow.flow import Flow, FlowLimits
from server.flow.own_listeners import OwnListeners
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.status import FlowError, StatusCode
from server.flow.units import BUILTIN
from tests.flow.http import units
from tests.flow.http.support import chain_plan, free_port, python_unit, running, wait_for_requests
from tests.flow.http.test_spec_7_3_async import async_plan, wait_until_idle

PASSWORD = "open sesame"


@dataclass(frozen=True)
class Files:
    """PEM files; `trust` is a client's context."""

    cert: str
    key: str
    encrypted_key: str
    other_key: str
    nonsense: str
    trust: ssl.SSLContext


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    mine, other = authority.issue_cert("localhost", "127.0.0.1", "::1"), authority.issue_cert("localhost")
    mine.private_key_pem.write_to_path(str(folder / "key.pem"))
    other.private_key_pem.write_to_path(str(folder / "other.pem"))
    for blob in mine.cert_chain_pems:
        blob.write_to_path(str(folder / "cert.pem"), append=True)
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSWORD.encode()),
    )
    (folder / "encrypted.pem").write_bytes(encrypted)
    (folder / "nonsense.pem").write_text("hello")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Files(
        cert=str(folder / "cert.pem"),
        key=str(folder / "key.pem"),
        encrypted_key=str(folder / "encrypted.pem"),
        other_key=str(folder / "other.pem"),
        nonsense=str(folder / "nonsense.pem"),
        trust=context,
    )


@asynccontextmanager
async def https_flow(port: int, files: Files, *more: object, **options: str) -> AsyncIterator[Flow]:
    given = {"endpoint": f"https://127.0.0.1:{port}", "cert": files.cert, "key": files.key, **options}
    limits = next((each for each in more if isinstance(each, FlowLimits)), FlowLimits(max_request_bytes=100_000))
    async with running(chain_plan(port, python_unit("Slow"), **given), limits) as flow:
        yield flow


async def post(files: Files, port: int, body: str = "0", host: str = "127.0.0.1") -> httpx.Response:
    async with httpx.AsyncClient(verify=files.trust, timeout=10) as client:
        return await client.post(f"https://{host}:{port}/a?b", content=body)


async def refusal_of(port: int, **options: str) -> FlowError:
    flow = Flow(
        chain_plan(port, **{"endpoint": f"https://127.0.0.1:{port}", **options}), OwnListeners(), FlowLimits()
    )
    with pytest.raises(FlowError) as caught:
        await flow.open()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
    return caught.value


async def test_https_is_served_and_the_connection_is_kept(files: Files) -> None:
    port = free_port()
    async with https_flow(port, files), httpx.AsyncClient(verify=files.trust) as client:
        for _ in range(3):
            answer = await client.post(f"https://127.0.0.1:{port}/", content="0")
            assert (answer.status_code, answer.text) == (200, "0")
            assert answer.headers["connection"] == "keep-alive"


async def test_httpserver_async_speaks_https(files: Files) -> None:
    port = free_port()
    units.Collects.seen = []
    units.Collects.gate.set()
    options = {"endpoint": f"https://localhost:{port}/a", "cert": files.cert, "key": files.key}
    async with running(async_plan(port, **options)) as flow, httpx.AsyncClient(verify=files.trust) as client:
        answer = await client.post(f"https://localhost:{port}/a", content="x")
        await wait_until_idle(flow)
    assert answer.status_code == 202
    assert [body for body, _ in units.Collects.seen] == ["x"]


async def test_an_encrypted_key_is_opened_with_passwd(files: Files) -> None:
    port = free_port()
    async with https_flow(port, files, key=files.encrypted_key, passwd=PASSWORD):
        assert (await post(files, port)).text == "0"


async def test_passwd_and_key_pass_are_not_needed_for_a_plain_key_and_do_no_harm(files: Files) -> None:
    # ModelBox refuses a cert without passwd and key_pass whatever the key; here only an encrypted key needs passwd
    port = free_port()
    async with https_flow(port, files, passwd="x", key_pass="y"):
        assert (await post(files, port)).text == "0"


@pytest.mark.parametrize(
    ("option", "attribute", "words"),
    [
        ({"cert": ""}, "key", "certificate file is invalid. -> endpoint"),
        (
            {"cert": "/no/such.pem"},
            "key",
            "certificate file is invalid. -> option cert: /no/such.pem: No such file",
        ),
        ({"cert": "/"}, "key", "certificate file is invalid. -> option cert: /: Is a directory"),
        ({}, "", "key file is invalid. -> option key is missing"),
        ({"key": "/no/such.pem"}, "", "key file is invalid. -> option key: /no/such.pem: No such file"),
        ({}, "nonsense", "key file is invalid. -> "),
        ({}, "other_key", "key file is invalid. -> "),
        ({}, "encrypted_key", "password not set -> "),
        ({"passwd": "wrong"}, "encrypted_key", "key file is invalid. -> "),
    ],
)
async def test_bad_tls_options_are_refused(
    files: Files, option: dict[str, str], attribute: str, words: str
) -> None:
    options = {"cert": files.cert, **({"key": getattr(files, attribute)} if attribute else {}), **option}
    error = await refusal_of(free_port(), **options)
    assert error.code is StatusCode.BADCONF
    assert error.messages[-1].startswith(words)


async def test_a_certificate_that_is_no_pem_is_refused(files: Files) -> None:
    error = await refusal_of(free_port(), cert=files.nonsense, key=files.key)
    assert error.messages[-1].startswith(f"certificate file is invalid. -> {files.nonsense}")


async def test_cert_on_an_http_endpoint_is_checked_and_not_used(files: Files) -> None:
    port = free_port()
    options = {"cert": files.cert, "key": files.key, "endpoint": f"http://127.0.0.1:{port}"}
    async with running(chain_plan(port, **options)), httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200


def two_endpoints(first: dict[str, str], second: dict[str, str]) -> Plan:
    builtin = {unit.name: unit for unit in BUILTIN}
    receive, reply = builtin["httpserver_sync_receive"], builtin["httpserver_sync_reply"]
    nodes, edges = [], []
    for number, options in enumerate((first, second)):
        rx, tx = f"rx{number}", f"tx{number}"
        nodes.append(PlanNode(name=rx, unit=receive, options=options, outputs=("out_request_info",)))
        nodes.append(PlanNode(name=tx, unit=reply, inputs=("in_reply_info",)))
        edges.append(PlanEdge(source=rx, source_port="out_request_info", target=tx, target_port="in_reply_info"))
    return Plan(name="two", nodes=tuple(nodes), edges=tuple(edges))


async def test_two_paths_of_one_flow_share_an_https_address(files: Files) -> None:
    port = free_port()
    tls = {"cert": files.cert, "key": files.key}
    plan = two_endpoints(
        {"endpoint": f"https://127.0.0.1:{port}/a", **tls}, {"endpoint": f"https://localhost:{port}/b", **tls}
    )
    async with running(plan), httpx.AsyncClient(verify=files.trust) as client:
        for path in ("/a", "/b"):
            assert (await client.get(f"https://127.0.0.1:{port}{path}")).status_code == 200
        assert (await client.get(f"https://127.0.0.1:{port}/c")).status_code == 404


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"endpoint": "http://127.0.0.1:{port}/b"}, "cannot speak http and https"),
        ({"endpoint": "https://127.0.0.1:{port}/b", "cert": "encrypted"}, "another cert or key"),
        ({"endpoint": "https://localhost:{port}/a"}, "is served twice by this flow"),
    ],
)
async def test_endpoints_of_one_address_must_agree(files: Files, second: dict[str, str], words: str) -> None:
    port = free_port()
    tls = {"cert": files.cert, "key": files.key}
    is_other = "cert" in second
    theirs = {**tls, "key": files.encrypted_key, "passwd": PASSWORD} if is_other else tls
    plan = two_endpoints(
        {"endpoint": f"https://127.0.0.1:{port}/a", **tls},
        {"endpoint": second["endpoint"].format(port=port), **theirs},
    )
    flow = Flow(plan, OwnListeners(), FlowLimits())
    with pytest.raises(FlowError) as caught:
        await flow.open()
    assert words in caught.value.messages[-1]


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\x16\x03", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 5000, b"\x16\x03\x01\x02\x00\x01" + b"\xff" * 600],
)
async def test_handshakes_that_fail_or_never_end_harm_nobody(
    files: Files, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    async with https_flow(port, files):
        writers = []
        for _ in range(50):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(garbage)
            writers.append(writer)
        answers = await asyncio.gather(*(post(files, port) for _ in range(5)))
        assert [answer.text for answer in answers] == ["0"] * 5
        for writer in writers:
            writer.close()
        assert (await post(files, port)).text == "0"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_does_not_trust_the_certificate_harms_nobody(files: Files) -> None:
    port = free_port()
    async with https_flow(port, files):
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://127.0.0.1:{port}/")
        assert (await post(files, port)).text == "0"


async def test_a_body_that_is_too_large_is_told_over_tls(files: Files) -> None:
    port = free_port()
    async with https_flow(port, files):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=files.trust, server_hostname="localhost"
        )
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 100001\r\n\r\n" + b"a" * 50_000)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
    assert head.startswith(b"HTTP/1.1 413 ")


async def test_a_large_answer_arrives_whole_though_the_client_is_slow(files: Files) -> None:
    port = free_port()
    body = b"0." + b"0" * 3_000_000
    async with https_flow(port, files, FlowLimits()):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=files.trust, server_hostname="localhost"
        )
        writer.write(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await asyncio.sleep(0.5)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert answer.partition(b"\r\n\r\n")[2] == body


async def test_stop_answers_what_is_in_flight_over_tls(files: Files) -> None:
    port = free_port()
    async with https_flow(port, files) as flow:
        task = asyncio.create_task(post(files, port, "0.3"))
        await wait_for_requests(flow, 1)
        await flow.stop(5)
        assert (await task).text == "0.3"
        assert flow._front is not None
        for _ in range(300):
            if not flow._front._connections:
                break
            await asyncio.sleep(0.01)
        assert not flow._front._connections
