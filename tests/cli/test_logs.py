"""`job logs`, of a job that says what the test wants to hear."""

import json
from collections.abc import Iterator

import pytest

from server.client import AsyncClient
from tests.cli.program import Shell
from tests.e2e.talker import talker
from tests.installation import Installation, free_port

CODE = """
    import time
    print("printed")
    modelbox.warn("a warning")
    modelbox.error("an error")
    for n in range(400):
        print(f"line {n}")
        time.sleep(0.01)
    print("the end")
    time.sleep(1000)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("logs")
    with Installation(folder / "state") as installation:
        installation.start()
        assert installation.create("talks", talker(folder, free_port(), CODE)).status_code == 201
        yield installation


def test_a_log_is_followed_over_kill_nine_of_the_server(server: Installation, shell: Shell) -> None:
    with shell.started("job", "logs", "talks", "-f", "-o", "json") as logs:
        logs.wait_for('"text":"line 20"')
        server.kill_server()
        logs.wait_for("trying again", n=1)
        server.start()
        logs.wait_for('"text":"the end"')
        logs.interrupt()
        assert logs.end() == 130
    texts = [json.loads(line)["text"] for line in logs.text.splitlines()]
    assert [text for text in texts if text.startswith("line ")] == [f"line {n}" for n in range(400)]


def test_a_part_of_a_log(server: Installation, shell: Shell) -> None:
    with shell.started("job", "logs", "talks", "-f", "--tail", 1) as logs:
        logs.wait_for("the end")
    assert shell.run("job", "logs", "talks", "--tail", 2).stdout.splitlines() == ["line 399", "the end"]
    of_weight = shell.run("job", "logs", "talks", "--level", "warn")
    assert [line.split(maxsplit=2)[1:] for line in of_weight.stdout.splitlines()] == [
        ["warn", "<string>:4 <module>: a warning"],
        ["error", "<string>:5 <module>: an error"],
    ]
    assert shell.run("job", "logs", "talks", "--attempt", 1, "--tail", 1, "-o", "wide").stdout.startswith("  1 20")


def test_what_cannot_be_shown(server: Installation, shell: Shell) -> None:
    assert shell.run("job", "logs", "nobody").returncode == 4
    refused = shell.run("job", "logs", "talks", "--since", "yesterday")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "must be a time such as" in refused.stderr
    shell.environ["MODELBOX_URL"] = f"http://127.0.0.1:{free_port()}"
    assert shell.run("job", "logs", "talks").returncode == 5


async def test_the_async_client_reads_it_too(server: Installation) -> None:
    async with AsyncClient(f"http://127.0.0.1:{server.port}") as client:
        entries = [entry async for entry in client.logs("talks", level="error")]
        assert [entry.text for entry in entries] == ["<string>:5 <module>: an error"]
        async for entry in client.logs("talks", follow=True):
            if entry.text == "the end":
                break
