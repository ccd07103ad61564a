"""Secrets in graphs, in an installation: what the unit gets, and where the values are not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flow.unitapi.folders import chain, write_unit
from tests.installation import Installation, free_port

OF_ENV = "zebra-of-the-environment"
OF_FILE = "yak-of-the-file"
ROTATED = "xerus-of-the-file"
UNIT = """
    import modelbox
    from hashlib import sha256

    class Unit(modelbox.FlowUnit):
        def open(self, config):
            self.secret = config.get_string("from_env") + config.get_string("from_file")
            self.config = config
            modelbox.info("opened with " + self.secret)
            if config.get_bool("breaks"):
                raise ValueError("cannot open " + repr(self.secret))
            return modelbox.Status()

        def process(self, context):
            for buffer in context.input("in_1"):
                if str(buffer) == "raise":
                    raise ValueError("with " + self.secret)
                if str(buffer) == "status":
                    return modelbox.Status(modelbox.Status.StatusCode.STATUS_FAULT, "with " + self.secret)
                digest = sha256(self.secret.encode()).hexdigest()
                context.output("out_1").push_back(modelbox.Buffer(self.get_bind_device(), digest))
            return modelbox.Status()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("secrets")
    (base / "allowed").mkdir()
    (base / "allowed" / "key").write_text(f"{OF_FILE}\n")
    write_unit(base / "units", "keeper", UNIT)
    conf = f'[secrets]\nenv = ["ZOO_*"]\nfiles = ["{base / "allowed"}"]\n'
    (base / "server.toml").write_text(conf)
    return base


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Installation]:
    with Installation(folder / "state", None, "--conf", str(folder / "server.toml")) as installation:
        installation.environ = {"ZOO_ONE": OF_ENV, "OTHER_ONE": "other-one-of-the-environment"}
        yield installation.start()


def graph(folder: Path, port: int, **more: str) -> dict[str, Any]:
    wanted = {"from_env": "${env:ZOO_ONE}", "from_file": f"${{file:{folder}/allowed/key}}"} | more
    return chain(port, folder / "units", "keeper", **wanted)


def digest_of(port: int, text: str = "x") -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/v1/x", content=text, timeout=20, trust_env=False)


def test_a_unit_gets_the_values_and_nobody_else_does(server: Installation, folder: Path) -> None:
    from hashlib import sha256

    port = free_port()
    created = server.create("keeps", graph(folder, port))
    assert created.status_code == 201, created.text
    assert digest_of(port).text == sha256((OF_ENV + OF_FILE).encode()).hexdigest()
    answers = [digest_of(port, "raise"), digest_of(port, "status")]
    assert all("[secret][secret]" in answer.text for answer in answers), [answer.text for answer in answers]
    broken = server.create("breaks", graph(folder, free_port(), breaks="true"))
    assert broken.status_code == 400
    assert "[secret][secret]" in broken.text
    answers += [created, broken, *(server.http.get(f"{server.base}/{path}") for path in _paths("keeps", "breaks"))]
    assert "opened with [secret][secret]" in server.http.get(f"{server.base}/keeps/log").text
    for answer in answers:
        assert OF_ENV not in answer.text, answer.url
        assert OF_FILE not in answer.text, answer.url

    (folder / "allowed" / "key").write_text(ROTATED)
    assert server.http.post(f"{server.base}/keeps/restart").status_code in (200, 202)
    server.wait_until("keeps", lambda _: digest_or_none(port) == sha256((OF_ENV + ROTATED).encode()).hexdigest())
    assert server.stop() == 0
    for path in [path for path in server.state_dir.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        for secret in (OF_ENV, OF_FILE, ROTATED):
            assert secret.encode() not in content, path
    server.start()


def _paths(*jobs: str) -> list[str]:
    views = ("", "?view=full", "/history", "/log")
    graphs = [f"keeps/graph?format={each}" for each in ("source", "plan", "svg")]
    return ["list/all", *graphs, *(f"{job}{view}" for job in jobs for view in views)]


def digest_or_none(port: int) -> str:
    try:
        return digest_of(port).text
    except httpx.TransportError:
        return ""


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("${env:OTHER_ONE}", "[secrets] env"),
        ("${env:MODELBOX_SERVER_PORT}", "[secrets] env"),
        ("${file:/etc/passwd}", "[secrets] files"),
    ],
)
def test_what_is_not_allowed(server: Installation, folder: Path, reference: str, words: str) -> None:
    wrong = graph(folder, free_port(), from_env=reference)
    created = server.create("refused", wrong)
    checked = server.http.post(f"{server.base}/validate", json={"job_graph": wrong}).json()
    server.delete("refused")
    assert created.status_code == 400
    (problem,) = checked["problems"]
    for text in (created.json()["error_msg"], problem["message"]):
        assert f"node 'keeper': {reference} is not allowed" in text
        assert words in text
        assert "other-one" not in text
    assert problem["node"] == "keeper"


def test_what_is_allowed_and_not_there(server: Installation, folder: Path) -> None:
    wrong = graph(folder, free_port(), from_env="${env:ZOO_TWO}")
    assert server.http.post(f"{server.base}/validate", json={"job_graph": wrong}).json()["valid"]
    created = server.create("missing", wrong)
    assert created.status_code == 400
    assert "node 'keeper': ${env:ZOO_TWO} is not there" in created.text
