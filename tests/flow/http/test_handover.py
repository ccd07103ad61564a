"""Two flows on one address with different paths: connections move to the flow that a request is for."""

import asyncio
import socket
from dataclasses import dataclass, field

import httpx
import pytest

from server.flow.http.front import HttpFront
from server.flow.listeners import Endpoint, Received, Route
from tests.flow.http.support import (
    body_of,
    chain_plan,
    example_plan,
    free_port,
    python_unit,
    raw,
    running,
    status_of,
)


@dataclass
class Switch:
    """Knows all flows of a test, and can be told to refuse."""

    sockets: dict[tuple[str, int], socket.socket] = field(default_factory=dict)
    receivers: dict[str, tuple[Endpoint, Received]] = field(default_factory=dict)
    handed: int = 0
    refuses: bool = False

    def close(self) -> None:
        for sock in self.sockets.values():
            sock.close()


class SharedByTest:
    """The `Listeners` of one flow; `accepts` says whether it listens itself."""

    def __init__(self, switch: Switch, key: str) -> None:
        self._switch = switch
        self._key = key
        self._received: Received | None = None

    async def claim(self, endpoint: Endpoint) -> socket.socket:
        assert self._received is not None
        self._switch.receivers[self._key] = (endpoint, self._received)
        address = (endpoint.host, endpoint.port)
        if address not in self._switch.sockets:
            sock = socket.create_server(address, backlog=256)
            sock.setblocking(False)
            self._switch.sockets[address] = sock
        return self._switch.sockets[address].dup()

    def foreign(self, host: str, port: int, path: str) -> Route | None:
        for key, (endpoint, _) in self._switch.receivers.items():
            if path == endpoint.path or path.startswith(endpoint.path + "/"):
                return None if key == self._key else Route(endpoint, key)
        return None

    def successor(self, endpoint: Endpoint) -> Route:
        return Route(endpoint, self._key)

    async def hand_over(self, route: Route, connection: socket.socket, received: bytes) -> None:
        await asyncio.sleep(0)
        if self._switch.refuses:
            raise ConnectionRefusedError("the other one is gone")
        self._switch.handed += 1
        endpoint, callback = self._switch.receivers[route.key]
        callback(endpoint, connection, received)

    def on_handed_over(self, received: Received) -> None:
        self._received = received


@pytest.fixture
def switch() -> object:
    made = Switch()
    yield made
    made.close()


def request(path: str, body: bytes, *lines: str) -> bytes:
    head = "\r\n".join([f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


async def test_one_connection_alternates_between_two_flows(switch: Switch) -> None:
    port = free_port()
    async with (
        running(example_plan(port, "/one"), listeners=SharedByTest(switch, "1")),
        running(
            chain_plan(port, python_unit("Kind"), endpoint=f"http://127.0.0.1:{port}/two"),
            listeners=SharedByTest(switch, "2"),
        ),
        httpx.AsyncClient() as client,
    ):
        for number in range(10):
            one = await client.post(f"http://127.0.0.1:{port}/one", content=f"{number}".encode())
            two = await client.post(f"http://127.0.0.1:{port}/two/x", content=f"{number}".encode())
            assert (one.text, two.text) == (f"{number}", f"RAW:{number}")
    assert switch.handed >= 18


async def test_pipelined_requests_for_both_are_answered_in_order(switch: Switch) -> None:
    port = free_port()
    async with (
        running(example_plan(port, "/one"), listeners=SharedByTest(switch, "1")),
        running(example_plan(port, "/two"), listeners=SharedByTest(switch, "2")),
    ):
        sent = b"".join(
            request(path, body) for path, body in [("/one", b"a"), ("/two", b"b"), ("/one", b"c"), ("/two", b"d")]
        )
        answer = await raw(port, sent + request("/one", b"e", "Connection: close"))
    assert [part[:1] for part in answer.split(b"\r\n\r\n")[1:]] == [b"a", b"b", b"c", b"d", b"e"]


@pytest.mark.parametrize("path", ["/one", "/two"])
async def test_a_large_body_that_is_still_arriving_moves_along(switch: Switch, path: str) -> None:
    port = free_port()
    body = bytes(range(256)) * 20_000
    async with (
        running(example_plan(port, "/one"), listeners=SharedByTest(switch, "1")),
        running(example_plan(port, "/two"), listeners=SharedByTest(switch, "2")),
    ):
        sent = request(path, body, "Connection: close")
        answer = await raw(port, sent[:100], sent[100:3000], sent[3000:200_000], sent[200_000:])
    assert body_of(answer) == body


@pytest.mark.parametrize("path", ["/one", "/two"])
async def test_a_chunked_body_with_expect_moves_along(switch: Switch, path: str) -> None:
    port = free_port()
    head = (
        f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    async with (
        running(example_plan(port, "/one"), listeners=SharedByTest(switch, "1")),
        running(example_plan(port, "/two"), listeners=SharedByTest(switch, "2")),
    ):
        answer = await raw(port, head.encode(), b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\nabcde")


@pytest.mark.parametrize("path", ["/one", "/two"])
async def test_a_flow_that_does_not_take_it_is_a_503_on_a_living_connection(switch: Switch, path: str) -> None:
    port = free_port()
    async with (
        running(example_plan(port, "/one"), listeners=SharedByTest(switch, "1")),
        running(example_plan(port, "/two"), listeners=SharedByTest(switch, "2")),
    ):
        switch.refuses = True
        other = "/two" if path == "/one" else "/one"
        sent = request(path, b"a") + request(other, b"bb") + request(path, b"c", "Connection: close")
        answer = await raw(port, sent)
    served = answer.split(b"HTTP/1.1 ")[1:]
    assert sorted(part[:3] for part in served) in ([b"200", b"200", b"503"], [b"200", b"503", b"503"])
    assert served[0][:3] == served[2][:3] != served[1][:3]


async def test_many_clients_at_once(switch: Switch) -> None:
    port = free_port()

    async def client(number: int) -> None:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(limits=limits, timeout=20) as connection:
            for round_ in range(10):
                path = "/one" if (number + round_) % 3 else "/two"
                body = f"{number}-{round_}".encode() * (1 + 3000 * (round_ % 2))
                answer = await connection.post(f"http://127.0.0.1:{port}{path}", content=body)
                assert (answer.status_code, answer.content) == (200, body)

    plans = [example_plan(port, path, receive=", max_requests=100") for path in ("/one", "/two")]
    async with (
        running(plans[0], listeners=SharedByTest(switch, "1")) as first,
        running(plans[1], listeners=SharedByTest(switch, "2")) as second,
    ):
        await asyncio.gather(*(client(number) for number in range(20)))
        await asyncio.sleep(0.1)
        for flow in (first, second):
            front = flow._front
            assert isinstance(front, HttpFront)
            assert not front._connections
    assert switch.handed > 20


async def test_a_request_that_was_handed_over_is_not_handed_back(switch: Switch) -> None:
    port = free_port()
    async with (
        running(example_plan(port, "/one"), listeners=SharedByTest(switch, "1")),
        running(example_plan(port, "/two"), listeners=SharedByTest(switch, "2")),
    ):
        # each now believes that the other one serves /three
        endpoint, _ = switch.receivers["1"]
        first, second = switch.receivers["1"][1], switch.receivers["2"][1]
        lost = Endpoint(endpoint.host, port, "/three")
        ours, theirs = socket.socketpair()
        first(lost, theirs, request("/two", b"a", "Connection: close"))
        ours.setblocking(False)
        answer = await asyncio.get_running_loop().sock_recv(ours, 4096)
        ours.close()
    assert status_of(answer) == 404
    assert second is not first
