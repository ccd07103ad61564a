"""The wheel holds all that is needed to run: installed into an empty venv elsewhere, it serves."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.test_first_flow import ask
from tests.installation import echo_flow, free_port
from tests.processes import kill_all

ROOT = Path(__file__).parent.parent.parent
QUIET = ["-qq", "--disable-pip-version-check"]


def test_an_installed_wheel_serves(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", *QUIET, "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", *QUIET]
    subprocess.run([*install, "--require-hashes", "-r", str(ROOT / "requirements/runtime.lock")], check=True)
    subprocess.run([*install, "--no-deps", str(wheel)], check=True)
    # a program of a user: the modules are beside the package
    script = "import modelbox, _flowunit; modelbox.Flow(); assert _flowunit.Buffer is modelbox.Buffer"
    subprocess.run([str(venv / "bin" / "python"), "-c", script], check=True, cwd=tmp_path)

    state, port, flow_port = tmp_path / "state", free_port(), free_port()
    program = str(venv / "bin" / "modelbox-server")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    argv = [program, "serve", "--state-dir", str(state), "--port", str(port)]
    process = subprocess.Popen(argv, cwd=tmp_path, env=environ, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert b"serving on" in process.stderr.readline()
        body = {"job_id": "from-wheel", "job_graph": echo_flow(flow_port)}
        created = httpx.put(f"http://127.0.0.1:{port}/v1/modelbox/job", json=body, timeout=20, trust_env=False)
        assert created.status_code == 201, created.text
        assert ask(flow_port).content == b"hello"
        verify = [program, "db", "verify", "--state-dir", str(state)]
        subprocess.run(verify, check=True, cwd=tmp_path, env=environ, capture_output=True)
    finally:
        kill_all(state)
        process.communicate()
