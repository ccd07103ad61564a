"""Traces from a client's `traceparent` through API, runner and engine, as a collector gets them."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.installation import Installation, bad_flow, echo_flow

CREATE, REQUEST, OTHER = (f"{number:032x}" for number in (0xA, 0xB, 0xC))
CALLER = "00f067aa0ba902b7"


@dataclass(frozen=True)
class Seen:
    name: str
    trace: str
    id: str
    parent: str
    service: str
    about: dict[str, Any]
    seconds: float
    is_error: bool


class Collector:
    """What OTLP over HTTP is sent to."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                spans.extend(_spans_in(ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def of(self, trace: str) -> list[Seen]:
        return [span for span in self.spans if span.trace == trace]

    def attempts(self, number: int) -> list[Seen]:
        return [span for span in self.spans if span.about.get("modelbox.job.attempt") == number]

    def wait_for(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 15
        while not holds():
            assert time.monotonic() < deadline, self.spans
            time.sleep(0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _spans_in(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in request.resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Seen(
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                service,
                _values(span.attributes),
                (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                span.status.code == 2,
            )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Installation]:
    """With a job "traced" whose creation was traced."""
    with Installation(tmp_path_factory.mktemp("tracing") / "state") as installation:
        installation.environ["MODELBOX_TRACING_ENDPOINT"] = collector.url
        installation.start()
        body = {"job_id": "traced", "job_graph": echo_flow(installation.flow_port, "/traced")}
        headers = {"traceparent": f"00-{CREATE}-{CALLER}-01", "X-Request-ID": "mine"}
        assert installation.http.put(installation.base, json=body, headers=headers).status_code == 201
        yield installation


def tree(spans: list[Seen]) -> list[tuple[str, str, str]]:
    """Service, name, and the name of what caused it."""
    names = {span.id: span.name for span in spans} | {CALLER: "the caller"}
    return sorted((span.service, span.name, names[span.parent]) for span in spans)


def test_a_create_is_one_trace_from_the_client_to_the_ready_engine(
    server: Installation, collector: Collector
) -> None:
    collector.wait_for(lambda: len(collector.of(CREATE)) >= 6)
    spans = collector.of(CREATE)
    put = "PUT /v1/modelbox/job"
    assert tree(spans) == [
        ("modelbox-api", put, "the caller"),
        ("modelbox-api", "append", put),
        ("modelbox-engine", "compile", "engine starts"),
        ("modelbox-engine", "engine starts", "start engine"),
        ("modelbox-engine", "open", "engine starts"),
        ("modelbox-runner", "start engine", put),
    ]
    by_name = {span.name: span for span in spans}
    assert by_name[put].about["http.response.status_code"] == 201
    assert by_name["start engine"].about == {"modelbox.job.id": "traced", "modelbox.job.attempt": 1}
    assert not any(span.is_error for span in spans)
    assert by_name["engine starts"].seconds >= by_name["open"].seconds > 0


def test_the_history_leads_to_the_trace(server: Installation) -> None:
    created = server.http.get(f"{server.base}/traced/history").json()["events"][0]
    own, traceparent = created["request_id"].split(" ")
    assert own == "mine"
    assert traceparent.split("-")[1] == CREATE


def ask(server: Installation, trace: str, flags: str) -> None:
    headers = {"traceparent": f"00-{trace}-{CALLER}-{flags}", "Content-Type": "text/plain"}
    url = f"http://127.0.0.1:{server.flow_port}/traced"
    answer = httpx.post(url, content=b"hello", headers=headers, trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"hello")


def test_a_request_through_a_flow_shows_each_units_call(server: Installation, collector: Collector) -> None:
    ask(server, OTHER, "00")  # whose client does not want it recorded
    ask(server, REQUEST, "01")
    collector.wait_for(lambda: len(collector.of(REQUEST)) >= 3)
    spans = collector.of(REQUEST)
    assert tree(spans) == [
        ("modelbox-engine", "POST /traced", "the caller"),
        ("modelbox-engine", "unit httpserver_sync_receive", "POST /traced"),
        ("modelbox-engine", "unit httpserver_sync_reply", "POST /traced"),
    ]
    by_name = {span.name: span for span in spans}
    assert by_name["POST /traced"].about["http.response.status_code"] == 200
    assert by_name["unit httpserver_sync_reply"].about["modelbox.node"] == "httpserver_sync_reply"
    assert collector.of(OTHER) == []


def test_what_fails_is_seen_to_fail(server: Installation, collector: Collector) -> None:
    trace = f"{0xD:032x}"
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    answer = server.http.put(server.base, json={"job_id": "bad", "job_graph": bad_flow()}, headers=headers)
    assert answer.status_code == 400
    collector.wait_for(lambda: any(span.name == "engine starts" for span in collector.of(trace)))
    by_name = {span.name: span for span in collector.of(trace)}
    assert by_name["engine starts"].is_error
    assert server.delete("bad").status_code == 204


def test_a_retry_is_no_part_of_the_request(server: Installation, collector: Collector) -> None:
    (engine,) = server.engines()["traced"]
    before = len(collector.of(CREATE))
    os.kill(engine, 9)
    collector.wait_for(lambda: collector.attempts(2) != [])
    (retry,) = collector.attempts(2)
    assert retry.trace != CREATE
    assert retry.parent == ""
    assert len(collector.of(CREATE)) == before


@pytest.mark.parametrize("collector_is", ["silent", "gone"])
def test_a_collector_that_does_not_collect_harms_nobody(tmp_path: Path, collector_is: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Installation(tmp_path / "state") as server:
        port = silent.getsockname()[1]
        if collector_is == "gone":
            silent.close()
        server.environ["MODELBOX_TRACING_ENDPOINT"] = f"http://127.0.0.1:{port}/v1/traces"
        server.environ["MODELBOX_TRACING_MAX_WAITING"] = "8"
        server.start()
        assert server.create("aa", echo_flow(server.flow_port, "/aa")).status_code == 201
        url = f"http://127.0.0.1:{server.flow_port}/aa"
        with httpx.Client(trust_env=False) as client:
            assert {client.post(url, content=b"x").status_code for _ in range(200)} == {200}
        assert server.delete("aa").status_code == 204
        assert server.stop() == 0
        assert server.output().count("traces are lost") <= 3


def test_without_an_endpoint_nothing_of_it_is_loaded() -> None:
    program = (
        "import sys, server.api.main, server.runner.main, server.engines.birth, server.flow.flow\n"
        "from server.tracing import OFF, open_tracing\n"
        "assert open_tracing(OFF, 'x') is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_packages_that_are_missing_are_told_at_the_start(tmp_path: Path) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'opentelemetry' else real(name, package)\n"
    )
    server = Installation(tmp_path / "state")
    server.environ |= {"MODELBOX_TRACING_ENDPOINT": "http://127.0.0.1:9/v1/traces", "PYTHONPATH": str(tmp_path)}
    with suppress(AssertionError):
        server.start()
    assert server.process is not None
    assert server.process.wait(20) == 2
    assert "pip install 'modelbox-server[tracing]'" in server.output()
    server.http.close()
