"""The files under deploy/: they fit the program, and what they say of it is true."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from server.cli import cli
from server.config import Config, _keys
from server.engines.records import read_host
from server.engines.rundir import RunDir
from tests.installation import PROGRAM, Installation, echo_flow

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "modelbox-server.service"


def unit() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return {name: dict(parser[name]) for name in parser.sections()}


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def steps(instruction: str) -> list[str]:
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{instruction} (.*)$", text, re.MULTILINE)


def test_engines_outlive_the_server_under_systemd() -> None:
    service = unit()["Service"]
    assert service["KillMode"] == "process"
    assert service["OOMPolicy"] == "continue"
    assert (service["Delegate"], service["DelegateSubgroup"]) == ("yes", "server")
    assert service["RestartPreventExitStatus"] == "2"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    text = UNIT.read_text().replace("/opt/modelbox-server/bin/modelbox-server", str(PROGRAM))
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    done = subprocess.run([program, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60)
    wrong = [line for line in done.stderr.splitlines() if UNIT.name in line]
    # only newer versions know this one; older ones ignore it
    assert [line for line in wrong if "DelegateSubgroup" not in line] == []


def test_what_systemd_does_at_a_restart(tmp_path: Path) -> None:
    """ExecStart, SIGTERM to its process alone, ExecStart again; then the host's end, as an upgrade has it."""
    words = shlex.split(unit()["Service"]["ExecStart"])
    assert words[1:3] == ["serve", "--conf"]
    with Installation(tmp_path / "state") as server:
        conf = tmp_path / "server.toml"
        conf.write_text(f"[server]\nport = {server.port}\n")
        known = {
            "/opt/modelbox-server/bin/modelbox-server": str(PROGRAM),
            "/etc/modelbox-server/server.toml": str(conf),
        }
        argv = [known.get(word, word).replace("${STATE_DIRECTORY}", str(server.state_dir)) for word in words]

        def start() -> None:
            with (tmp_path / "state.out").open("ab") as out:
                server.process = subprocess.Popen(argv, stdout=out, stderr=out, env=server._environ())
            server.wait_until_serving()

        start()
        created = server.create("first", echo_flow(server.flow_port))
        assert created.status_code == 201, created.text
        before = server.engines()
        assert server.stop(signal.SIGTERM) == 0
        start()
        assert server.word("first") == "RUNNING"
        assert server.engines() == before
        host = read_host(RunDir(server.state_dir))
        assert host is not None
        process = psutil.Process(host.pid)
        os.kill(host.pid, signal.SIGTERM)
        psutil.wait_procs([process], timeout=10)
        assert server.create("second", echo_flow(server.flow_port, "/b")).status_code == 201
        assert server.engines()["first"] == before["first"]
        newer = read_host(RunDir(server.state_dir))
        assert newer is not None
        assert newer.pid != host.pid


def test_compose_names_what_is_there() -> None:
    document = compose()
    server = document["services"]["server"]
    build = server["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    variables = {f"MODELBOX_{name}".replace(".", "_").upper() for name, _ in _keys(Config())}
    assert set(server["environment"]) <= variables
    for service in document["services"].values():
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in document["volumes"]
        assert set(service.get("depends_on", {})) <= set(document["services"])
    assert server["volumes"] == [f"state:{steps('VOLUME')[0]}"]
    port = Config().server.port
    assert server["ports"] == [f"127.0.0.1:{port}:{port}"]
    postgres = document["services"]["postgres"]["environment"]
    url = server["environment"]["MODELBOX_SERVER_DATABASE_URL"]
    assert (
        url
        == f"postgresql://{postgres['POSTGRES_USER']}:${{POSTGRES_PASSWORD}}@postgres/{postgres['POSTGRES_DB']}"
    )


def test_commands_of_the_container_are_ours() -> None:
    (command,) = steps("CMD")[-1:]
    words = yaml.safe_load(command)
    options = {option for each in cli.commands[words[0]].params for option in each.opts}
    assert set(words[1:]) <= options
    variables = {f"MODELBOX_{name}".replace(".", "_").upper() for name, _ in _keys(Config())}
    named = set(re.findall(r"(MODELBOX_\w+)=", " ".join(steps("ENV"))))
    assert named
    assert named <= variables
    assert steps("EXPOSE") == [str(Config().server.port)]
    first_lines = (DEPLOY / "compose.yaml").read_text()
    for line in re.findall(r"run --rm server (.*)", first_lines):
        cli.parse_args(cli.make_context("x", shlex.split(line), resilient_parsing=True), shlex.split(line))
        assert shlex.split(line)[0] in cli.commands


def test_the_image_has_all_that_the_package_is_built_from(tmp_path: Path) -> None:
    copies = [line.split() for line in steps("COPY") if not line.startswith("--from")]
    for *sources, target in copies:
        for source in sources:
            to = tmp_path / target / (source if target == "./" else "")
            to.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, to)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "dist").glob("*.whl"))
