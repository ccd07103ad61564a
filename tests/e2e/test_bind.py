"""Where the API may listen, and what must be said for that."""

import subprocess
from pathlib import Path

import httpx

from tests.e2e.access import bearer, make_token, make_token_by_command, revoke
from tests.installation import PROGRAM, Installation, free_port
from tests.processes import processes_of


def refusal(state_dir: Path, command: str, host: str, *more: str) -> str:
    argv = [str(PROGRAM), command, "--state-dir", str(state_dir), "--host", host, "--port", str(free_port())]
    argv += more
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done
    assert processes_of(state_dir) == {}
    return done.stderr.strip().splitlines()[-1]


def test_beyond_this_machine_nobody_is_let_in_by_mistake(tmp_path: Path) -> None:
    line = refusal(tmp_path / "state", "serve", "0.0.0.0")
    assert "can be reached from other machines, and there is no token yet" in line
    assert "modelbox-server token create" in line
    assert "--open" in line


def test_nor_by_an_api_alone(tmp_path: Path) -> None:
    assert Installation(tmp_path / "state").run("db", "upgrade").returncode == 0
    assert "there is no token yet" in refusal(tmp_path / "state", "api", "0.0.0.0")


def test_a_token_is_asked_for_there(tmp_path: Path) -> None:
    with Installation(tmp_path / "state", None, "--host", "0.0.0.0") as server:
        assert server.run("db", "upgrade").returncode == 0
        token = make_token(server, "me", "read")
        server.start()
        assert server.http.get("/version").status_code == 401
        assert server.http.get("/version", headers=bearer(token)).status_code == 200
        assert "tokens are sent in the clear" in server.output()
        # jobs must come back after a reboot, also when the last token is gone
        revoke(server, "me")
        server.stop()
        server.start()
        assert server.http.get("/version").status_code == 401
        assert "nobody can be let in yet" in server.output()


def test_open_is_said_by_an_option(tmp_path: Path) -> None:
    with Installation(tmp_path / "state", None, "--host", "0.0.0.0", "--open") as server:
        server.start()
        assert server.http.get("/version").status_code == 200
        assert "everybody who gets there is let in" in server.output()


def test_a_token_is_asked_for_on_loopback_if_one_says_so(tmp_path: Path) -> None:
    conf = tmp_path / "closed.toml"
    conf.write_text('[access]\ntokens = "required"\n')
    with Installation(tmp_path / "state", None, "--conf", str(conf), "--host", "::1") as server:
        server.http.close()
        server.http = httpx.Client(base_url=f"http://[::1]:{server.port}", trust_env=False)
        server.start()
        assert server.http.get("/version").status_code == 401
        assert server.http.get("/health/live").status_code == 200
        note = server.run("token", "create", "--name", "x", "--role", "read")
        assert "lets in what has no token" in note.stderr
        said = server.run("token", "create", "--name", "y", "--role", "read", "--conf", str(conf))
        assert "lets in" not in said.stderr


def test_a_whole_token_is_not_needed_to_revoke_it(tmp_path: Path) -> None:
    server = Installation(tmp_path / "state")
    assert server.run("db", "upgrade").returncode == 0
    token = make_token_by_command(server, "mine", "read")
    refused = server.run("token", "revoke", token)
    assert refused.returncode == 2
    assert token not in refused.stderr
    assert server.run("token", "revoke", token.rpartition("_")[0]).stdout.startswith("revoked: mine")
    assert server.run("token", "revoke", "mine").returncode == 2
