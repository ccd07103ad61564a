"""What the doctor finds, and what a bundle holds and does not hold."""

import json
import os
import resource
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.config import load_config
from server.doctor import access, database, flows, machine, processes, program
from server.doctor.examination import examine
from server.doctor.finding import Finding, Grade
from server.doctor.redact import REMOVED, Redactor, secrets_in
from server.jobs.access import new_token_text
from tests.installation import Installation, bad_flow, echo_flow, free_port

SECRETS = {
    "PASSWORD": "hunter2-of-the-database",
    "MY_API_KEY": "key-in-the-environment",
    "OTHER_TOKEN": new_token_text(),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("doctor") / "state") as installation:
        installation.environ = SECRETS
        installation.start()
        installation.create("fine", echo_flow(free_port()))
        installation.create("broken", bad_flow())
        yield installation


def doctor(server: Installation, *more: str) -> tuple[int, dict[str, Any]]:
    done = server.run("doctor", "-o", "json", "--port", str(server.port), *more)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def about(findings: Any, what: str) -> list[Finding]:
    return [finding for finding in findings if finding.about == what]


def problems(findings: Any) -> list[str]:
    return [finding.about for finding in findings if finding.grade is Grade.PROBLEM]


def test_a_server_that_is_well(server: Installation) -> None:
    code, report = doctor(server)
    found = {finding["about"]: finding for finding in report["findings"]}
    assert (code, report["healthy"]) == (0, True), report
    assert found["port"]["found"] == f"{server.port} is this server's"
    assert found["engines"]["found"].startswith("1 ")
    assert "its end verifies" in found["database"]["found"]
    assert {"python", "packages", "clock", "free space", "engine host", "cgroups", "descriptors"} <= set(found)


def test_text_says_what_to_mend(server: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "wrong.toml").write_text("[graph]\nformat = 'graphviz'\ngraphconf = 'digraph a { x -> }'\n")
    done = server.run("doctor", "--port", str(server.port), "--flow-path", str(folder))
    assert done.returncode == 1
    assert "problem  boot folder: wrong.toml: " in done.stdout
    assert "-> mend the file" in done.stdout


def test_an_installation_that_is_not_there_yet(tmp_path: Path) -> None:
    report = examine(
        load_config(None, {"server.state_dir": str(tmp_path / "none"), "server.port": free_port()}, {})
    )
    assert report.healthy, report
    assert not (tmp_path / "none").exists()


def test_a_port_of_somebody_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = load_config(None, {"server.state_dir": str(tmp_path), "server.port": port}, {})
        (finding,) = about(processes.examine(config), "port")
    assert finding.grade is Grade.PROBLEM
    assert str(os.getpid()) in finding.found


def test_a_database_that_is_damaged_or_gone(tmp_path: Path) -> None:
    (tmp_path / "modelbox.db").write_bytes(b"no database " * 1000)
    assert problems(database.examine(load_config(None, {"server.state_dir": str(tmp_path)}, {}))) == ["database"]
    nobody = f"postgresql://me@127.0.0.1:{free_port()}/x"
    config = load_config(None, {"server.state_dir": str(tmp_path), "server.database_url": nobody}, {})
    assert problems(database.examine(config)) == ["database"]


def test_a_clock_that_is_wrong() -> None:
    now = datetime.now(UTC)
    assert database.clock(now, None).grade is Grade.OK
    assert database.clock(now - timedelta(days=4000), None).grade is Grade.PROBLEM


def test_file_systems_and_directories(tmp_path: Path) -> None:
    mounts = [("/", "ext4"), ("/srv", "nfs4"), ("/srv/local", "xfs")]
    assert machine.file_system_of(Path("/srv/state"), mounts) == "nfs4"
    assert machine.file_system_of(Path("/srv/local/x"), mounts) == "xfs"
    (tmp_path / "file").touch()
    assert problems(machine.state_directory(tmp_path / "file")) == ["state directory"]
    tmp_path.chmod(0o755)
    assert Grade.WARNING in [finding.grade for finding in machine.state_directory(tmp_path)]


def test_limits_cgroups_and_python(tmp_path: Path) -> None:
    assert machine.descriptors(1024).grade is Grade.WARNING
    assert machine.descriptors(resource.RLIM_INFINITY).grade is Grade.OK
    assert machine.cgroups(str(tmp_path)).grade is Grade.PROBLEM
    assert problems(program.examine((3, 9, 1))) == ["python"]


def test_access_that_keeps_the_server_from_starting(tmp_path: Path) -> None:
    options = {"server.state_dir": str(tmp_path), "server.host": "0.0.0.0"}
    assert problems(access.examine(load_config(None, options, {}))) == ["access"]
    wrong = options | {"server.host": "127.0.0.1", "tls.cert": str(tmp_path / "none"), "tls.key": "x"}
    assert problems(access.examine(load_config(None, wrong, {}))) == ["tls"]


async def test_a_boot_folder_that_cannot_be_read(tmp_path: Path) -> None:
    options = {"server.state_dir": str(tmp_path), "server.flow_path": str(tmp_path / "none")}
    assert problems(await flows.examine(load_config(None, options, {}))) == ["boot folder"]


def contents(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as tar:
        return {member.name: _text(tar, member) for member in tar.getmembers()}


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    assert file is not None
    return file.read().decode()


def bundle(server: Installation, target: Path) -> tuple[dict[str, str], subprocess.CompletedProcess[str]]:
    done = server.run("support-bundle", str(target), "--port", str(server.port))
    assert done.returncode == 0, done.stderr
    assert target.stat().st_mode & 0o777 == 0o600
    return {name.removeprefix("modelbox-support/"): text for name, text in contents(target).items()}, done


def test_a_bundle_holds_what_helps_and_no_secret(server: Installation, tmp_path: Path) -> None:
    planted = server.state_dir / "logs" / "jobs" / "fine" / "1-1.9.log"
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"
    lines = [*SECRETS.values(), "password=only-by-its-name", "postgresql://me:only-in-a-url@db/x", pem]
    planted.write_text("kept\n" + "\n".join(lines) + "\n")
    with (server.state_dir / "logs" / "host.log").open("a") as host_log:
        host_log.write(f"Authorization: Bearer {SECRETS['OTHER_TOKEN']}\n")
    files, _ = bundle(server, tmp_path / "b.tar.gz")
    everything = "\n".join(files.values())
    for secret in (*SECRETS.values(), "only-by-its-name", "only-in-a-url", "MIIEvQIBADANBg"):
        assert secret not in everything
    assert files["logs/jobs/fine/1-1.9.log"].startswith("kept\n")
    assert '"job_id":"fine"' in files["jobs.jsonl"]
    assert '"job-created"' in files["events.jsonl"]
    assert "no_such_unit" in files["events.jsonl"]
    assert "modelbox_jobs" in files["metrics.txt"]
    assert json.loads(files["doctor.json"])["findings"]
    assert json.loads(files["configuration.json"])["server"]["port"] == server.port
    assert "sanic" in files["versions.txt"].lower()
    assert "serving on" in files["logs/server.log"]


def test_a_bundle_without_a_server_and_with_a_password(tmp_path: Path) -> None:
    url = f"postgresql://me:very%21secret-word@127.0.0.1:{free_port()}/x"
    files, _ = bundle(Installation(tmp_path / "state", url), tmp_path / "b.tar.gz")  # which is never started
    assert "secret-word" not in "".join(files.values())
    assert files["jobs.jsonl"].startswith("not to be had")
    assert "postgresql://[removed]@127.0.0.1" in files["configuration.json"]


def test_a_bundle_that_cannot_be_written(server: Installation, tmp_path: Path) -> None:
    done = server.run("support-bundle", str(tmp_path / "none" / "b.tar.gz"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_redaction() -> None:
    redact = Redactor(secrets_in({"DB_PASSWORD": 'a"b\\c-d', "HOME": "/root", "X": "amqp://u:p4ss-word@h"}, ""))
    assert redact('say a"b\\c-d') == f"say {REMOVED}"
    assert redact('{"x":"a\\"b\\\\c-d"}') == f'{{"x":"{REMOVED}"}}'
    assert "p4ss-word" not in redact("lost p4ss-word in a text")
    assert redact("home is /root") == "home is /root"
    assert redact('"tokens": "auto"') == '"tokens": "auto"'
    assert redact('"client_secret": "abc"}') == f'"client_secret": "{REMOVED}"}}'
