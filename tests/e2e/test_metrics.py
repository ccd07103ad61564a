"""/metrics over a real socket: what it says of jobs, flows and the server, and that it always answers."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from server.metrics.docs import families, series_names
from server.metrics.text import CONTENT_TYPE
from tests.e2e.test_database_faults import locked
from tests.installation import Installation, bad_flow, echo_flow, free_port
from tests.parts import Parts

DECLARED = {name: family for family in families() for name in series_names(family)}
REQUESTS = "modelbox_api_requests_total"
EVENTS = "/v1/modelbox/events"
MOST_SECONDS = 8.0
"""What an answer may take on a machine that is busy, whatever is wrong."""

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scraped:
    """One answer. Whatever it holds must be declared, and as the format demands."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == CONTENT_TYPE
        self.values: Values = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                declared = DECLARED[sample.name]
                labels = frozenset(sample.labels.items())
                assert {label for label, _ in labels} - {"le"} == set(declared.labels), sample
                assert (family.documentation, family.type) == (declared.help, declared.kind)
                assert (sample.name, labels) not in self.values
                self.values[sample.name, labels] = sample.value

    def get(self, name: str, **labels: str) -> float | None:
        return self.values.get((name, frozenset(labels.items())))

    def of_job(self, job_id: str) -> set[str]:
        return {name for name, labels in self.values if ("job_id", job_id) in labels}

    def sum(self, name: str, **labels: str) -> float:
        return sum(
            value
            for (n, all_labels), value in self.values.items()
            if n == name and labels.items() <= set(all_labels)
        )


def scrape(client: httpx.Client) -> Scraped:
    began = time.monotonic()
    scraped = Scraped(client.get(client.base_url.join("/metrics")))
    assert time.monotonic() - began < MOST_SECONDS
    return scraped


def scrape_until(client: httpx.Client, holds: Callable[[Scraped], bool]) -> Scraped:
    deadline = time.monotonic() + 20
    while not holds(scraped := scrape(client)):
        assert time.monotonic() < deadline, scraped.values
        time.sleep(0.1)
    return scraped


def test_a_job_and_its_flow(installation: Installation) -> None:
    installation.start()
    port = free_port()
    installation.create("one", echo_flow(port))
    installation.create("bad", bad_flow())
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as flow:
        for _ in range(3):
            assert flow.post("/example", content=b"x").status_code == 200
    seen = scrape(installation.http)
    assert (seen.get("modelbox_jobs", status="RUNNING"), seen.get("modelbox_jobs", status="FAILED")) == (1, 1)
    assert seen.get("modelbox_job_status", job_id="one", status="RUNNING") == 1
    assert seen.get("modelbox_job_restarts_total", job_id="one") == 0
    assert seen.get("modelbox_job_failures", job_id="bad") == 1
    receive, reply = "httpserver_sync_receive", "httpserver_sync_reply"
    assert seen.get("modelbox_http_requests_total", job_id="one", node=receive, status="200") == 3
    assert seen.get("modelbox_http_request_seconds_count", job_id="one", node=receive) == 3
    assert seen.get("modelbox_node_output_buffers_total", job_id="one", node=receive) == 3
    assert seen.get("modelbox_node_input_buffers_total", job_id="one", node=reply) == 3
    assert seen.get("modelbox_node_call_seconds_count", job_id="one", node=reply) == 3
    memory = seen.get("modelbox_job_memory_bytes", job_id="one")
    assert memory is not None
    assert memory > 1_000_000
    assert seen.get("modelbox_runner_events_total", type="engine-ready") == 1
    assert (
        seen.get("modelbox_database_up") == seen.get("modelbox_leader_up") == seen.get("modelbox_runner_up") == 1
    )
    assert seen.get("modelbox_leader_epoch") == seen.get("modelbox_runner_epoch") == 1
    assert seen.get("modelbox_command_seconds_count", command="CreateJob") == 2
    for process in ("api", "runner"):
        assert seen.sum("modelbox_database_call_seconds_count", process=process) > 0
        assert seen.get("modelbox_database_waiting_writes", process=process) == 0
        assert seen.get("modelbox_process_open_fds", process=process)

    path: Path = installation.state_dir / "run" / "metrics.sock"
    assert path.is_socket()
    assert path.parent.stat().st_mode & 0o077 == 0

    installation.delete("one")
    later = scrape_until(installation.http, lambda now: not now.of_job("one"))
    assert later.get("modelbox_jobs", status="RUNNING") == 0


def test_restarts_are_counted_and_the_new_engine_begins_anew(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    installation.create("again", echo_flow(free_port()))
    (pid,) = installation.engines()["again"]
    os.kill(pid, signal.SIGKILL)
    installation.wait_until("again", lambda job: job.get("attempt") == 2 and job["job_status"] == "RUNNING")
    seen = scrape_until(installation.http, lambda now: now.get("modelbox_job_restarts_total", job_id="again") == 1)
    assert seen.get("modelbox_job_processes", job_id="again") == 1
    assert seen.get("modelbox_runner_events_total", type="engine-exited") == 1


def test_requests_are_counted_by_route_and_status(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    http, base = installation.http, installation.base
    http.get(f"{base}/nobody")
    http.get(f"{base}/nobody-else")
    http.get(f"{base}/nobody/history")
    http.get(f"{base}/nobody/no-such-word")
    http.delete(f"{base}/nobody")
    http.put(base, content=b"{")
    http.post(f"{base}/validate", content=b"{")
    http.get("/nowhere")
    http.request("BREW", "/health/live")
    http.request("BREW2", "/health/live")
    with socket.create_connection(("127.0.0.1", installation.port), timeout=10) as raw:
        raw.sendall(b"GET nonsense\r\n\r\n")
        assert b" 400 " in raw.recv(4096)
    with socket.create_connection(("127.0.0.1", installation.port), timeout=10) as raw:
        raw.sendall(b"GET /v1/modelbox/events?after=1000&wait=20 HTTP/1.1\r\nHost: x\r\n\r\n")
    seen = scrape_until(http, lambda now: now.get(REQUESTS, method="GET", route=EVENTS, status="499") == 1)

    def count(method: str, route: str, status: int) -> float | None:
        return seen.get(REQUESTS, method=method, route=route, status=str(status))

    one = f"{base}/{{job_id}}"
    assert (count("GET", one, 404), count("DELETE", one, 404), count("PUT", base, 400)) == (2, 1, 1)
    assert count("GET", f"{one}/history", 404) == 1
    assert count("POST", f"{base}/validate", 400) == 1
    assert count("GET", "other", 400) == 1  # the word
    assert count("GET", "other", 404) == 1  # nowhere
    assert count("other", "other", 405) == 2
    assert count("other", "other", 400) == 1  # nonsense
    assert seen.get("modelbox_api_request_seconds_count", method="GET", route=one) == 2


def test_event_streams_are_counted_and_not_timed(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    events = {"accept": "text/event-stream"}
    with installation.http.stream("GET", EVENTS, headers=events) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        assert scrape(installation.http).get("modelbox_api_event_streams") == 1
    seen = scrape_until(installation.http, lambda now: now.get("modelbox_api_event_streams") == 0)
    assert seen.sum(REQUESTS, route=EVENTS) == 1
    assert seen.sum("modelbox_api_request_seconds_count", route=EVENTS) == 0


def test_an_engine_that_hangs_keeps_its_last_numbers_with_their_age(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    for name in ("hangs", "answers"):
        installation.create(name, echo_flow(free_port()))
    before = scrape(installation.http)
    os.kill(installation.engines()["hangs"][0], signal.SIGSTOP)
    seen = scrape_until(installation.http, lambda now: now.get("modelbox_engines_silent") == 1)
    assert seen.of_job("hangs") == before.of_job("hangs")
    old, young = (seen.get("modelbox_job_answer_age_seconds", job_id=job_id) for job_id in ("hangs", "answers"))
    assert old is not None
    assert young is not None
    assert old > young


def test_without_the_runner_the_rest_is_told(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    installation.create("one", echo_flow(free_port()))
    assert "modelbox_job_cpu_seconds_total" in scrape(installation.http).of_job("one")
    (runner,) = (pid for pid, title in installation.processes().items() if title.split()[1] == "runner")
    os.kill(runner, signal.SIGSTOP)
    seen = scrape_until(installation.http, lambda now: now.get("modelbox_runner_up") == 0)
    assert seen.of_job("one") >= {"modelbox_job_status", "modelbox_job_uptime_seconds"}
    os.kill(runner, signal.SIGKILL)
    seen = scrape_until(installation.http, lambda now: now.get("modelbox_runner_up") == 1)
    assert seen.get("modelbox_runner_epoch") == 2
    assert "modelbox_job_cpu_seconds_total" in seen.of_job("one")


def test_without_the_database_the_rest_is_told(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    installation.create("one", echo_flow(free_port()))
    with locked(installation):
        seen = scrape(installation.http)
        assert seen.get("modelbox_database_up") == 0
        assert seen.of_job("one") >= {"modelbox_job_status", "modelbox_node_queued_buffers"}
    scrape_until(installation.http, lambda now: now.get("modelbox_database_writable") == 1)
    (installation.state_dir / "modelbox.db").unlink()
    seen = scrape_until(installation.http, lambda now: now.get("modelbox_database_writable") == 0)
    assert seen.of_job("one") >= {"modelbox_job_status", "modelbox_node_queued_buffers"}


def test_no_more_is_told_than_the_configuration_allows(sqlite_installation: Installation) -> None:
    installation = sqlite_installation
    installation.environ |= {"MODELBOX_METRICS_MAX_JOBS": "1", "MODELBOX_METRICS_MAX_NODES": "1"}
    installation.start()
    for name in ("first", "second"):
        installation.create(name, echo_flow(free_port()))
    seen = scrape(installation.http)
    assert "modelbox_job_cpu_seconds_total" in seen.of_job("first")
    assert not seen.of_job("second")
    assert (seen.get("modelbox_jobs_left_out"), seen.get("modelbox_nodes_left_out")) == (1, 1)
    assert [name for name, _ in seen.values].count("modelbox_node_queued_buffers") == 1


def test_each_of_two_apis_tells_of_engines(sqlite_installation: Installation) -> None:
    parts = Parts(sqlite_installation)
    try:
        parts.start("runner")
        one, two = parts.api(), parts.api()
        assert one.put("", json={"job_id": "shared", "job_graph": echo_flow(free_port())}).status_code == 201
        for api in (one, two):
            seen = scrape_until(api, lambda now: now.get("modelbox_runner_up") == 1)
            assert "modelbox_node_queued_buffers" in seen.of_job("shared")
        assert seen.sum("modelbox_command_seconds_count") == 0  # of this one's own
    finally:
        parts.end()
