"""`job versions`, `diff` and `rollback`, and what of the client they use."""

import json
from collections.abc import Iterator

import pytest

from server.client import AsyncClient, ChangeUnderWay, Client, ConditionFailed, InvalidGraph
from tests.cli.program import Shell
from tests.installation import Installation, bad_flow, echo_flow


@pytest.fixture(scope="module")
def changed(server: Installation) -> Iterator[Installation]:
    """Has the job `line` in version 2, and a third that failed."""
    server.create("line", echo_flow(server.flow_port, "/one"))
    assert server.change("line", job_graph=echo_flow(server.flow_port, "/two")).status_code == 200
    assert server.change("line", job_graph=bad_flow()).status_code == 400
    yield server
    server.delete("line")


def test_versions_are_listed(changed: Installation, shell: Shell) -> None:
    done = shell.run("job", "versions", "line")
    head, three, two, one = done.stdout.splitlines()
    assert head.split() == ["VERSION", "STATE", "AT", "BY", "GRAPH", "WHY"]
    assert three.split()[:2] == ["3", "failed"]
    assert "no_such_unit" in three
    assert (two.split()[:2], one.split()[:2]) == (["2", "current"], ["1", "past"])
    told = json.loads(shell.run("job", "versions", "line", "-o", "json").stdout)
    assert [version["version"] for version in told] == [3, 2, 1]


def test_a_diff_by_node_and_as_text(changed: Installation, shell: Shell) -> None:
    lines = shell.run("job", "diff", "line").stdout.splitlines()
    assert lines[0] == "line: version 1 -> version 2"
    endpoint = f"http://127.0.0.1:{changed.flow_port}"
    assert f"~ node httpserver_sync_receive: endpoint: {endpoint}/one -> {endpoint}/two" in lines
    assert "--- version 1" in lines
    assert json.loads(shell.run("job", "diff", "line", "--from", 2, "--to", 1, "-o", "json").stdout)["to"] == 1
    assert shell.run("job", "diff", "line", "--to", 9).returncode == 3
    assert shell.run("job", "diff", "nobody").returncode == 4


def test_back_and_forth(changed: Installation, shell: Shell) -> None:
    done = shell.run("job", "rollback", "line")
    assert (done.returncode, done.stdout) == (0, "line RUNNING, version 4\n")
    assert changed.http.post(f"http://127.0.0.1:{changed.flow_port}/one", content="hi").text == "hi"
    refused = shell.run("job", "rollback", "line", "--to", 3)
    assert refused.returncode == 3
    assert "no_such_unit" in refused.stderr
    with Client(f"http://127.0.0.1:{changed.port}") as client:
        with pytest.raises(ConditionFailed):
            client.rollback("line", to=2, if_match='"9-9"')
        with pytest.raises(ConditionFailed):
            client.change("line", options={}, if_match='"9-9"')
        assert client.rollback("line", to=2, if_match=client.etag("line")).version == 6
        newest = next(client.versions("line"))
        assert (newest.version, newest.back_to) == (6, 2)
        assert client.diff("line", from_version=2).equal
        with pytest.raises(InvalidGraph, match="no_such_unit"):
            client.change("line", graph=bad_flow())
        assert client.change("line", options={"stall_after": 9}).version == 8


async def test_the_async_client_too(changed: Installation) -> None:
    async with AsyncClient(f"http://127.0.0.1:{changed.port}") as client:
        graph = echo_flow(changed.flow_port, "/async")
        later = await client.change("line", graph=graph, wait=False)
        assert later.change
        with pytest.raises(ChangeUnderWay):
            await client.change("line", options={"limits": {"nice": 1}})
        numbers = [version.version async for version in client.versions("line")]
        assert numbers == list(range(later.change.version, 0, -1))
