"""Requests per second of one URL: by `wrk` where it is installed (Debian has it), else by asyncio."""

import asyncio
import re
import shutil
import subprocess
import time
from urllib.parse import urlsplit

SECONDS = 3


def requests_per_second(url: str, connections: int, *, body: bytes = b"", seconds: int = SECONDS) -> float:
    return _wrk(url, connections, body, seconds) if shutil.which("wrk") else _own(url, connections, body, seconds)


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "asyncio (slower than wrk, so the figures are lower)"


def _wrk(url: str, connections: int, body: bytes, seconds: int) -> float:
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url]
    if body:
        argv[1:1] = ["-s", "/dev/stdin"]
    script = f'wrk.method = "POST"\nwrk.body = {body.decode()!r}\n' if body else ""
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"not every request was answered well: {done.stdout}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def _own(url: str, connections: int, body: bytes, seconds: int) -> float:
    parts = urlsplit(url)
    method = "POST" if body else "GET"
    request = (
        f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )

    async def client(deadline: float) -> int:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        count = 0
        while time.perf_counter() < deadline:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer.lower())
            assert length, answer
            await reader.readexactly(int(length[1]))
            count += 1
        writer.close()
        return count

    async def run() -> int:
        deadline = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(client(deadline) for _ in range(connections))))

    return asyncio.run(run()) / seconds
