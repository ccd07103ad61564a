"""One file with what helps to help: every part bounded, and none of them needed for the others."""

import asyncio
import io
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import httpx
import msgspec

from server.api.entries import entry_of
from server.api.job_rows import row_of
from server.config import Config
from server.doctor.database import newest
from server.doctor.examination import examine
from server.doctor.logs import engine_logs, host_log, server_log
from server.doctor.redact import Redactor, secrets_in, secrets_of_graphs
from server.errors import StartError
from server.store import Snapshot, Store

EVENTS = 2000
MOST_OF_A_PART = 4 * 1024**2
"""Bytes before compression; of what is longer the end is kept."""
MOST_OF_ALL = 32 * 1024**2
METRICS_SECONDS = 10.0
TOKEN_VARIABLE = "MODELBOX_TOKEN"  # noqa: S105 -- a name

Part = tuple[str, Callable[[], str]]


def write_bundle(config: Config, target: Path) -> list[str]:
    """Writes the gzipped tar `target`, whole or not at all, readable by its owner only; the names in it.

    Raises: StartError, when the file cannot be written.
    """
    of_graphs = secrets_of_graphs(os.environ, config.secrets.allowed)
    redact = Redactor({*secrets_in(os.environ, config.database_url), *of_graphs})
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    names: list[str] = []
    left = MOST_OF_ALL
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            for name, text in _texts(config):
                content = _end_of(redact(text).encode("utf-8", "replace"), min(left, MOST_OF_A_PART))
                left -= len(content)
                _add(tar, f"modelbox-support/{name}", content)
                names.append(name)
        draft.replace(target)
    except OSError as error:
        raise StartError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return names


def _texts(config: Config) -> Iterator[tuple[str, str]]:
    parts: list[Part] = [
        ("versions.txt", _versions),
        ("configuration.json", lambda: _json(config)),
        ("doctor.json", lambda: _json(examine(config))),
        ("jobs.jsonl", lambda: asyncio.run(_jobs(config.database_url))),
        ("events.jsonl", lambda: asyncio.run(_events(config.database_url))),
        ("metrics.txt", lambda: _metrics(config)),
        ("logs/server.log", lambda: server_log(config.state_dir)),
        ("logs/host.log", lambda: host_log(config.state_dir)),
    ]
    for name, make in parts:
        try:
            yield name, make()
        except Exception as error:
            # one part that cannot be had is itself worth knowing
            yield name, f"not to be had: {type(error).__name__}: {error}\n"
    for path, text in engine_logs(config.state_dir):
        yield f"logs/jobs/{path}", text


def _versions() -> str:
    lines = [f"written {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}", f"system {' '.join(os.uname())}"]
    installed = {f"{each.metadata['Name']} {each.version}" for each in metadata.distributions()}
    return "\n".join([*lines, *sorted(installed, key=str.lower), ""])


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


async def _jobs(url: str) -> str:
    snapshot = await _snapshot(url)
    return _lines(row_of(job) for job in snapshot.jobs)


async def _snapshot(url: str) -> Snapshot:
    store = await Store.open(url, check_data=False)
    try:
        return await store.snapshot()
    finally:
        await store.close()


async def _events(url: str) -> str:
    return _lines(entry_of(each) for each in await newest(url, EVENTS))


def _lines(values: Iterator[object]) -> str:
    return "".join(f"{msgspec.json.encode(value).decode()}\n" for value in values)


def _metrics(config: Config) -> str:
    """Of the API, as whoever has the token in the environment."""
    scheme = "https" if config.tls.cert else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.server.host, config.server.host)  # noqa: S104
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.server.port}/metrics"
    token = os.environ.get(TOKEN_VARIABLE, "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # our own certificate need not name the address that we listen on
    answer = httpx.get(url, headers=headers, timeout=METRICS_SECONDS, verify=False, trust_env=False)  # noqa: S501
    return (
        f"{answer.text}\n" if answer.status_code == 200 else f"not to be had: {answer.status_code} {answer.text}\n"
    )


def _end_of(content: bytes, most: int) -> bytes:
    if len(content) <= most:
        return content
    return f"[{len(content) - most} bytes before this are left out]\n".encode() + content[-most:] if most else b""


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), 0o600, int(time.time())
    tar.addfile(info, io.BytesIO(content))
