"""Endpoints: each either works or is refused with words that help."""

import socket

import httpx
import pytest

from server.flow.http.options import parse_endpoint
from server.flow.listeners import Endpoint
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.status import FlowError, StatusCode
from tests.flow.http.support import free_port, refusal_of, running
from tests.flow.units.support import builtin


def several(*endpoints: str, **options: str) -> Plan:
    """A receive and a reply unit for each endpoint."""
    nodes, edges = [], []
    for number, text in enumerate(endpoints):
        rx, tx = f"rx{number}", f"tx{number}"
        receive = {"endpoint": text, **options}
        unit = builtin("httpserver_sync_receive")
        nodes.append(PlanNode(name=rx, unit=unit, options=receive, outputs=("out_request_info",)))
        nodes.append(PlanNode(name=tx, unit=builtin("httpserver_sync_reply"), inputs=("in_reply_info",)))
        edges.append(PlanEdge(source=rx, source_port="out_request_info", target=tx, target_port="in_reply_info"))
    return Plan(name="several", nodes=tuple(nodes), edges=tuple(edges))


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("http://127.0.0.1:8080", Endpoint("127.0.0.1", 8080, "")),
        ("http://127.0.0.1:8080/", Endpoint("127.0.0.1", 8080, "")),
        (" http://h:1/a/b/ ", Endpoint("h", 1, "/a/b")),
        ("HTTP://Host:1/A", Endpoint("host", 1, "/A")),
        ("http://h", Endpoint("h", 80, "")),
        ("https://h", Endpoint("h", 443, "", tls=True)),
        ("http://[::1]:8080/a", Endpoint("::1", 8080, "/a")),
        ("http://h:1/%61%2Fb", Endpoint("h", 1, "/a/b")),
        ("http://h:65535", Endpoint("h", 65535, "")),
    ],
)
def test_endpoints_that_can_be_served(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("127.0.0.1:8080", "must look like"),
        ("localhost:8080/x", "must look like"),
        ("/example", "must look like"),
        ("ftp://h:1", "must look like"),
        ("http://:8080", "must look like"),
        ("http:///x", "must look like"),
        ("http://h:99999", "is no URL"),
        ("http://h:-1", "is no URL"),
        ("http://h:x", "is no URL"),
        ("http://[::1:80", "is no URL"),
        ("http://h:0", "port 0"),
        ("http://h:1/a?b=c", "leave out what follows the path"),
        ("http://h:1/a#b", "leave out what follows the path"),
        ("http://u:p@h:1", "leave out the user"),
    ],
)
def test_endpoints_that_cannot_be_served(text: str, words: str) -> None:
    with pytest.raises(FlowError) as caught:
        parse_endpoint(text)
    assert caught.value.code is StatusCode.BADCONF
    assert words in caught.value.messages[-1]
    assert text in caught.value.messages[-1]


@pytest.mark.parametrize(
    ("host", "client"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1")]
)
async def test_hosts_that_are_listened_on(host: str, client: str) -> None:
    port = free_port()
    async with running(several(f"http://{host}:{port}/a")), httpx.AsyncClient() as http:
        answer = await http.post(f"http://{client}:{port}/a", content=b"hi")
    assert answer.text == "hi"


async def test_ipv6_is_listened_on() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = free_port()
    async with running(several(f"http://[::1]:{port}/a")) as flow, httpx.AsyncClient() as http:
        assert (await http.post(f"http://[::1]:{port}/a", content=b"hi")).text == "hi"
        assert [each.url for each in flow.endpoints] == [f"http://[::1]:{port}/a"]


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 300, "192.0.2.1"])
async def test_a_host_that_is_not_this_machine_is_refused(host: str) -> None:
    error = await refusal_of(several(f"http://{host}:{free_port()}/a"))
    assert error.code is StatusCode.FAULT
    assert error.messages[:2] == (
        "build graph failed, please check graph config.",
        "open flowunit 'httpserver_sync_receive', type 'cpu' failed.",
    )
    assert "cannot listen on" in error.messages[2]


@pytest.mark.parametrize("second", ["http://127.0.0.1:{}/a", "http://127.0.0.1:{}/a/", "http://localhost:{}/a"])
async def test_one_endpoint_twice_in_a_flow_is_refused(second: str) -> None:
    port = free_port()
    error = await refusal_of(several(f"http://127.0.0.1:{port}/a", second.format(port)))
    assert error.code is StatusCode.EXIST
    assert "is served twice by this flow" in error.messages[-1]
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_an_address_under_two_names_serves_all_its_paths() -> None:
    port = free_port()
    plan = several(*(f"http://{host}:{port}/{path}" for host, path in (("127.0.0.1", "a"), ("localhost", "b"))))
    async with running(plan):
        for _ in range(10):
            async with httpx.AsyncClient() as http:
                for path in "ab":
                    answer = await http.post(f"http://127.0.0.1:{port}/{path}", content=path)
                    assert (answer.status_code, answer.text) == (200, path)


async def test_several_addresses_in_one_flow() -> None:
    ports = [free_port() for _ in range(3)]
    async with running(several(*(f"http://127.0.0.1:{port}/" for port in ports))), httpx.AsyncClient() as http:
        for port in ports:
            assert (await http.post(f"http://127.0.0.1:{port}/", content=str(port))).text == str(port)
