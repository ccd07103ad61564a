"""The API and the runner, each started by itself."""

import subprocess
import time

import httpx

from tests.installation import Installation, free_port


class Parts:
    """An API (or two) and a runner on one installation's database, without `serve`."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.processes: list[subprocess.Popen[bytes]] = []
        self.clients: list[httpx.Client] = []
        assert installation.run("db", "upgrade").returncode == 0

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self.installation.command(*argv), stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def api(self, base: str = "/v1/modelbox/job") -> httpx.Client:
        """A client of a new API, below `base`."""
        port = free_port()
        self.start("api", "--port", str(port))
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}{base}", trust_env=False, timeout=20)
        self.clients.append(client)
        deadline = time.monotonic() + 20
        while True:
            try:
                client.get("/health/live")
                return client
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def end(self) -> None:
        for client in self.clients:
            client.close()
        for process in self.processes:
            process.kill()
            process.wait()
