"""Status, list, create and delete over REST, against a real installation. `python -m bench.control_plane`"""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.load import generator, requests_per_second
from bench.report import print_report, summary
from server.engines.local import LocalDriver
from tests.installation import Installation, bad_flow, echo_flow

MANY = 1000
REPEATS = 50


def main() -> None:
    figures: dict[str, object] = {"load generator": generator()}
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "state") as server:
        server.start()
        figures |= create_and_delete(server)
        figures["status requests/s, 1 job"] = status_rate(server)
        for n in range(MANY):
            # failed jobs are listed like any other, and take no engine
            server.create(f"many-{n}", bad_flow())
        figures["status requests/s, 1000 jobs"] = status_rate(server)
        url = f"http://127.0.0.1:{server.port}{server.base}/list/all"
        figures["list requests/s, 1000 jobs"] = {c: requests_per_second(url, c) for c in (1, 8)}
    print_report("control plane", figures)


def status_rate(server: Installation) -> dict[int, float]:
    server.create("one-job", echo_flow(server.flow_port))
    url = f"http://127.0.0.1:{server.port}{server.base}/one-job"
    return {connections: requests_per_second(url, connections) for connections in (1, 8, 64)}


def create_and_delete(server: Installation) -> dict[str, object]:
    """Until 201 and until 204. The first create compiles the graph, those of the same graph take its plan."""
    created, deleted, fresh, first = [], [], [], []
    for n in range(REPEATS):
        asked = time.monotonic()
        fresh.append(timed(lambda n=n: server.create(f"fresh-{n}", echo_flow(server.flow_port, f"/{n}")), 201))
        first.append(first_instruction(server) - asked)
        deleted.append(timed(lambda n=n: server.delete(f"fresh-{n}"), 204))
        created.append(timed(lambda n=n: server.create(f"known-{n}", echo_flow(server.flow_port)), 201))
        timed(lambda n=n: server.delete(f"known-{n}"), 204)
    return {
        "create sent until the engine's first instruction": summary(first),
        "create until 201, new graph": summary(fresh),
        "create until 201, known graph": summary(created),
        "delete until 204": summary(deleted),
    }


def first_instruction(server: Installation) -> float:
    """CLOCK_MONOTONIC of the moment at which the only engine began to run."""

    async def ask() -> float:
        driver = LocalDriver(server.state_dir)
        (hello,) = await driver.list()
        await driver.close()
        return hello.born_at

    return asyncio.run(ask())


def timed(call, status: int) -> float:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    answer = call()
    took = time.perf_counter() - start
    assert answer.status_code == status, answer.text
    return took


if __name__ == "__main__":
    main()
