"""Requests per second of the example flow at 1, 8, 64 connections. `python -m bench.data_plane`"""

import tempfile
from pathlib import Path

from bench.load import generator, requests_per_second
from bench.report import print_report
from tests.installation import Installation, echo_flow


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "state") as server:
        server.start()
        graph = echo_flow(server.flow_port)
        # wrk keeps 64 requests in flight; the example admits 10
        lines = graph["graph"]["graphconf"]
        lines[1] = lines[1].replace("max_requests=10", "max_requests=100")
        assert server.create("example", graph).status_code == 201
        url = f"http://127.0.0.1:{server.flow_port}/example"
        rates = {c: requests_per_second(url, c, body=b"hello") for c in (1, 8, 64)}
    print_report("data plane", {"load generator": generator(), "example flow requests/s": rates})


if __name__ == "__main__":
    main()
