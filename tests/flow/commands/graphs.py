"""Graphs that the commands are tested with."""

import json
from pathlib import Path

ECHO_DOT = """digraph echo {
  rx[flowunit=httpserver_sync_receive, endpoint="http://127.0.0.1:PORT", time_out_ms=20000]
  tx[flowunit=httpserver_sync_reply]
  rx:out_request_info -> tx:in_reply_info
}"""

WRONG_DOT = """digraph wrong {
  rx[flowunit=httpserver_sync_receive]
  tx[flowunit=httpserver_sync_repli]
  other[flowunit=httpserver_sync_reply, queue_size=0]
  rx:out_request_info -> tx:in_reply_info
  rx:out_request_info -> other:in_reply_info
}"""


def toml_graph(folder: Path, dot: str, port: int = 0, extra: str = "") -> Path:
    """A graph file whose DOT begins in its fourth line."""
    path = folder / "graph.toml"
    path.write_text(
        f'[graph]\nformat = "graphviz"\ngraphconf = """\n{dot.replace("PORT", str(port))}\n"""\n{extra}'
    )
    return path


def json_graph(folder: Path, dot: str, port: int = 0) -> Path:
    """A graph file whose DOT is a list of lines, which begin in its third line."""
    path = folder / "graph.json"
    lines = ",\n".join(json.dumps(line) for line in dot.replace("PORT", str(port)).splitlines())
    path.write_text(f'{{"graph": {{"format": "graphviz",\n"graphconf": [\n{lines}\n]}}}}')
    return path
