"""A job that says what a test wants to hear, and a client that follows its log."""

import json
import threading
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx

from tests.flow.unitapi.folders import chain, write_unit
from tests.installation import Installation

TALKER = """
    import _flowunit as modelbox
    import threading

    class Unit(modelbox.FlowUnit):
        def open(self, config):
            code = open(config.get_string("code")).read()
            names = {"modelbox": modelbox}
            threading.Thread(target=exec, args=(code, names), daemon=True).start()
            return modelbox.Status.StatusCode.STATUS_SUCCESS

        def process(self, ctx):
            modelbox.warn("called")
            ctx.output("out_1").push_back(ctx.input("in_1")[0])
            return modelbox.Status.StatusCode.STATUS_SUCCESS

        def close(self):
            modelbox.notice("closed")
            return modelbox.Status.StatusCode.STATUS_SUCCESS
"""


def talker(folder: Path, port: int, code: str) -> dict[str, Any]:
    """The graph of a job whose unit runs `code` in a thread of its own, with `modelbox` at hand."""
    write_unit(folder / "talker", "talker", TALKER)
    file = folder / f"code-{port}.py"
    file.write_text(dedent(code))
    return chain(port, folder, "talker", code=str(file))


class Follower:
    """Follows a log in JSON on a thread of its own until `close`; comes back where it was when the server goes."""

    def __init__(self, server: Installation, job_id: str, **query: str) -> None:
        self.entries: list[dict[str, Any]] = []
        self.connections = 0
        self._url = f"http://127.0.0.1:{server.port}{server.base}/{job_id}/log"
        self._query = {"follow": "true", "format": "json"} | query
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def texts(self) -> list[str]:
        return [entry["text"] for entry in self.entries]

    @property
    def numbers(self) -> list[int]:
        """Of the lines that are nothing but a number."""
        return [int(text) for text in self.texts if text.isdigit()]

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=httpx.Timeout(10, read=1)) as client:
            while not self._closed.is_set():
                with suppress(httpx.TransportError):
                    self._connect(client)
                self._closed.wait(0.05)

    def _connect(self, client: httpx.Client) -> None:
        query = self._query | ({"after": self.entries[-1]["place"]} if self.entries else {})
        with client.stream("GET", self._url, params=query) as answer:
            if answer.status_code != 200:
                return
            self.connections += 1
            for line in answer.iter_lines():
                self.entries.append(json.loads(line))
                if self._closed.is_set():
                    return
