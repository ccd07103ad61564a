"""docs/story.md: its commands, run on a fresh server. As a program it writes the page anew with their output."""

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.installation import PROGRAM, Installation, free_port

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "story.md"
FILES = ROOT / "docs" / "story"
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
UNITS = "docs/story/units"
MASKS = (
    (re.compile(rf"\b{re.escape(socket.gethostname())}\b"), "edge-1"),
    (re.compile(r"\bpid:? +\d+"), "pid 4711"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?"), "2026-01-01 12:00:00"),
    (re.compile(r"(?<![\d:-])\d\d:\d\d:\d\d(\.\d+)?"), "12:00:00"),
    (re.compile(r"(?<=  )\d+s\b"), "1s"),
    (re.compile(r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b"), "0123456789ab"),
    (re.compile(r"(?<=  )idle\b"), "running"),
)


def masked(text: str) -> str:
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def comparable(text: str) -> str:
    return re.sub(r" {2,}", "  ", masked(text))


def commands_of(block: str) -> list[str]:
    return [part.partition("\n")[0] for part in block.split("$ ")[1:]]


class Story:
    """The page's commands on a server of the test's, which has other ports."""

    def __init__(self, server: Installation, folder: Path) -> None:
        self._to_here = {"1104": str(server.port), "8080": str(free_port()), UNITS: str(ROOT / UNITS)}
        self._folder = folder
        self._environ = os.environ | {
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "MODELBOX_URL": f"http://127.0.0.1:{server.port}",
            "XDG_CONFIG_HOME": str(folder / "config"),
            "no_proxy": "*",
        }
        (folder / "greeter").write_text(self._here((FILES / "greeter").read_text()))

    def told(self, page: str) -> str:
        """The page, with what its commands print now."""
        return BLOCK.sub(lambda block: "".join(map(self._run, commands_of(block[0]))), page)

    def _run(self, command: str) -> str:
        if command.startswith("cd "):
            return f"$ {command}\n"
        quiet = self._here(command).replace("curl ", "curl -sS ")
        done = subprocess.run(
            quiet, shell=True, cwd=self._folder, capture_output=True, text=True, env=self._environ, timeout=60
        )
        printed = masked(self._there(done.stdout + done.stderr))
        return f"$ {command}\n{printed}\n" if printed else f"$ {command}\n"

    def _here(self, text: str) -> str:
        for there, here in self._to_here.items():
            text = text.replace(there, here)
        return text

    def _there(self, text: str) -> str:
        for there, here in self._to_here.items():
            text = text.replace(here, there)
        return text


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "state") as server:
        told = Story(server.start(), Path(folder)).told(PAGE.read_text())
    PAGE.write_text(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
