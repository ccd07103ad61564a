"""Opening and ending flows: refusals, sockets, several endpoints, clients that dawdle."""

import asyncio
import socket

import httpx
import pytest

from server.flow.description import FlowType
from server.flow.flow import FlowLimits
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.status import StatusCode
from server.flow.units import BUILTIN
from tests.flow.http.support import (
    chain_plan,
    example_plan,
    free_port,
    python_unit,
    raw,
    refusal_of,
    running,
    status_of,
)


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def test_a_unit_that_does_not_open_is_told_with_every_step_and_frees_the_port() -> None:
    port = free_port()
    error = await refusal_of(chain_plan(port, python_unit("FailsToOpen")))
    assert str(error) == (
        "Bad config, build graph failed, please check graph config. -> "
        "open flowunit 'FailsToOpen', type 'cpu' failed. -> no such thing"
    )
    assert is_free(port)


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        ({"receive": ', endpoint="https://127.0.0.1:8443"'}, StatusCode.BADCONF, "https"),
        ({"receive": ', cert="/a.pem"'}, StatusCode.BADCONF, "cert"),
        ({"receive": ', endpoint="127.0.0.1"'}, StatusCode.BADCONF, "endpoint"),
        ({"receive": ', endpoint="http://127.0.0.1:99999"'}, StatusCode.BADCONF, "endpoint"),
        ({"reply": ", content_type=word"}, StatusCode.BADCONF, "content_type"),
    ],
)
async def test_7_3_bad_options_are_refused_at_open(options: dict[str, str], code: StatusCode, word: str) -> None:
    port = free_port()
    error = await refusal_of(example_plan(port, **options))
    assert error.code is code
    assert word in error.messages[-1]
    assert is_free(port)


async def test_the_sockets_are_free_after_stop_and_the_flow_opens_again() -> None:
    port = free_port()
    for _ in range(3):
        async with running(example_plan(port)):
            assert not is_free(port)
        assert is_free(port)


async def test_two_receive_units_of_one_flow_share_an_address() -> None:
    port = free_port()
    builtin = {unit.name: unit for unit in BUILTIN}
    nodes, edges = [], []
    for path, content_type in (("/a", "json"), ("/a/b", "html")):
        rx, tx = f"rx{path}", f"tx{path}"
        endpoint = {"endpoint": f"http://127.0.0.1:{port}{path}"}
        nodes.append(
            PlanNode(
                name=rx,
                unit=builtin["httpserver_sync_receive"],
                options=endpoint,
                outputs=("out_request_info",),
            )
        )
        nodes.append(
            PlanNode(
                name=tx,
                unit=builtin["httpserver_sync_reply"],
                options={"content_type": content_type},
                inputs=("in_reply_info",),
            )
        )
        edges.append(PlanEdge(source=rx, source_port="out_request_info", target=tx, target_port="in_reply_info"))
    plan = Plan(name="two", nodes=tuple(nodes), edges=tuple(edges))
    async with running(plan) as flow, httpx.AsyncClient() as client:
        short = await client.get(f"http://127.0.0.1:{port}/a/x")
        long = await client.get(f"http://127.0.0.1:{port}/a/b/x")
        assert len(flow.endpoints) == 2
    assert short.headers["content-type"] == "application/json"
    assert long.headers["content-type"] == "text/html"


async def test_a_flow_whose_sources_ended_succeeds() -> None:
    builtin_less = [
        PlanNode(
            name="src",
            unit=python_unit("SendsAtOpen", inputs=(), outputs=("out_1",), flow_type=FlowType.STREAM),
            outputs=("out_1",),
        ),
        PlanNode(
            name="sink",
            unit=python_unit("Takes", outputs=(), flow_type=FlowType.STREAM, max_batch_size=1),
            inputs=("in_1",),
        ),
    ]
    edge = PlanEdge(source="src", source_port="out_1", target="sink", target_port="in_1")
    async with running(Plan(name="p", nodes=tuple(builtin_less), edges=(edge,))) as flow:
        end = await asyncio.wait_for(flow.ended(), 20)
        sink = next(node for node in flow.counters() if node.node == "sink")
    assert end.code is StatusCode.SUCCESS
    assert sink.inputs[0].buffers == 5


@pytest.mark.parametrize("part", [b"POST /exam", b"POST /example HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_a_request_that_does_not_arrive_is_given_up(part: bytes) -> None:
    port = free_port()
    async with running(example_plan(port), FlowLimits(request_seconds=0.3)):
        answer = await raw(port, part)
    assert status_of(answer) == 408
