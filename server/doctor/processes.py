"""Who is there of this installation: the server, the engine host, engines; and who has the port."""

from collections.abc import Iterator
from pathlib import Path

import psutil

import server
from server.config import Config
from server.doctor.finding import Finding, ok, problem, warning
from server.engines.identity import is_alive
from server.engines.records import read_head_file, read_host
from server.engines.rundir import RunDir
from server.jobs.events import EngineIdentity


def examine(config: Config) -> Iterator[Finding]:
    run_dir = RunDir(config.state_dir)
    changed = newest_change(Path(server.__file__).parent)
    pid = server_of(config.state_dir)
    if pid is None:
        yield ok("server", "none is running on this state directory")
    else:
        yield of_this_version("server", pid, changed, "restart it: engines go on")
    yield _port(config)
    yield from _host(read_host(run_dir), changed, is_needed=pid is not None)
    yield _engines(run_dir, changed)


def server_of(state_dir: Path) -> int | None:
    """The process that runs `serve` there."""
    try:
        pid = int((state_dir / "server.lock").read_text())
    except (OSError, ValueError):
        return None
    return pid if is_ours(pid, state_dir) else None


def is_ours(pid: int, state_dir: Path) -> bool:
    """All our processes name their state directory where `ps` shows it."""
    try:
        return " ".join(psutil.Process(pid).cmdline()).rstrip().endswith(f"[{state_dir}]")
    except psutil.Error:
        return False


def of_this_version(about: str, pid: int, changed: float, mend: str) -> Finding:
    try:
        started = psutil.Process(pid).create_time()
    except psutil.Error:
        return warning(about, f"process {pid} ended just now", "look again")
    if started < changed:
        return warning(about, f"process {pid} has run since before the program was changed", mend)
    return ok(about, f"process {pid}")


def newest_change(package: Path) -> float:
    """When the newest of the program's files was written, in seconds of the epoch."""
    return max(path.stat().st_mtime for path in package.rglob("*.py"))


def _port(config: Config) -> Finding:
    port, about = config.server.port, "port"
    if port == 0:
        return ok(about, "any free one, as configured")
    try:
        found = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    except psutil.AccessDenied:
        return warning(about, f"who listens on {port} may not be seen", "ask as another user")
    listening = [each for each in found if each.laddr and each.laddr.port == port]
    owners = {each.pid for each in listening if each.pid is not None}
    if not listening:
        return ok(about, f"{port} is free")
    if any(is_ours(pid, config.state_dir) for pid in owners):
        return ok(about, f"{port} is this server's")
    who = f"process {min(owners)}" if owners else "a process of another user"
    return problem(about, f"{who} listens on {port}", "end it, or choose another: --port")


def _host(host: EngineIdentity | None, changed: float, *, is_needed: bool) -> Iterator[Finding]:
    if host is not None and is_alive(host):
        mend = f"`kill {host.pid}` ends it alone: engines go on, and the next one has the new code"
        yield of_this_version("engine host", host.pid, changed, mend)
    elif is_needed:
        yield warning(
            "engine host", "none is running", "the runner starts one when a job starts; see the server's log"
        )


def _engines(run_dir: RunDir, changed: float) -> Finding:
    heads = [read_head_file(path) for path in sorted(run_dir.engines.glob("*.lock"))]
    alive = [head for head in heads if head is not None and is_alive(head.identity)]
    old = [head.job_id for head in alive if _is_older(head.identity.pid, changed)]
    if not old:
        return ok("engines", f"{len(alive)} are running")
    some = ", ".join(old[:10]) + (", ..." if len(old) > 10 else "")
    return warning(
        "engines",
        f"{len(old)} of {len(alive)} have run since before the program was changed: {some}",
        "`modelbox-server job restart` them when it suits",
    )


def _is_older(pid: int, changed: float) -> bool:
    try:
        return bool(psutil.Process(pid).create_time() < changed)
    except psutil.Error:
        return False
