"""`job apply`: the plan as a function, and what it does to a server."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.commands.apply import _undisturbed
from server.commands.flow_files import FlowFile, NoFlow, Unusable, read_all, read_flow
from server.commands.plan import Action, plan
from server.jobs.labels import label_test
from server.jobs.limits import Limits
from server.jobs.options import JobOptions, RestartPolicy
from server.jobs.words import JobStatus
from server.wire.job_rows import JobRow, ServerDefaults
from tests.cli.program import Shell
from tests.cli.test_jobs import body_of, toml_of
from tests.installation import Installation, bad_flow, echo_flow

DEFAULTS = ServerDefaults(restart=RestartPolicy(delay=2), limits=Limits(cpu=1), stall_after=60.0)
FLOW = FlowFile("aa", "toml", "[graph]", None, Path("aa.toml"))


def row(job_id: str = "aa", digest: str = FLOW.digest, **more: Any) -> JobRow:
    present: dict[str, Any] = {"job_status": JobStatus.RUNNING, "options": JobOptions(), "origin": "rest"} | more
    return JobRow(job_id=job_id, graph_digest=digest, **present)


def options(**given: Any) -> JobOptions:
    return msgspec.convert(given, JobOptions)


@pytest.mark.parametrize(
    ("given", "present", "action"),
    [
        (None, {}, Action.UNCHANGED),
        ({"stall_after": 5}, {"stall_after": 5.0}, Action.UNCHANGED),
        ({"stall_after": None}, {}, Action.UNCHANGED),
        ({"stall_after": 5}, {"stall_after": 6}, Action.CHANGE),
        ({"stall_after": 5}, {}, Action.CHANGE),
        (None, {"stall_after": 5}, Action.CHANGE),
        ({"restart": {"attempts": 3}}, {"restart": {"attempts": 3, "delay": 9}}, Action.CHANGE),
        ({"restart": {"attempts": 3}}, {"restart": {"attempts": 3, "delay": 2}}, Action.UNCHANGED),
        ({"restart": {"attempts": 3, "delay": 9}}, {"restart": {"attempts": 3, "delay": 9}}, Action.UNCHANGED),
        ({"restart": {"attempts": 3}}, {"restart": {"attempts": 4}}, Action.CHANGE),
        ({"limits": {"nice": 0}}, {"limits": {"cpu": 1}}, Action.UNCHANGED),
        ({"limits": {"nice": 0}}, {"limits": {"cpu": 2}}, Action.CHANGE),
        ({"limits": {}}, {"limits": {"cpu": 1, "nice": 3}}, Action.CHANGE),
        ({"labels": {"a": "1"}}, {"labels": {"a": "1"}}, Action.UNCHANGED),
        ({"labels": {"a": "1"}}, {"labels": {"a": "1", "b": ""}}, Action.CHANGE),
        ({"labels": {}}, {}, Action.UNCHANGED),
        ({"no_such": 1}, {}, Action.CHANGE),
        ({"limits": {"nice": 1}}, {"limits": {"cpu": 1}}, Action.CHANGE),
    ],
)
def test_options_are_compared_with_what_the_server_made_of_them(
    given: dict[str, Any] | None, present: dict[str, Any], action: Action
) -> None:
    flow = FlowFile("aa", "toml", "[graph]", given, Path("aa.toml"))
    assert [step.action for step in plan([flow], [row(options=options(**present))], DEFAULTS, prune=False)] == [
        action
    ]


def test_a_step_for_each_flow_and_with_prune_for_each_other_job() -> None:
    rows = [row("aa", "another"), row("bb"), row("cc", origin="file")]
    flows = [FLOW, FlowFile("new", "toml", "[graph]", None, Path("new.toml"))]
    assert [(step.action, step.job_id) for step in plan(flows, rows, DEFAULTS, prune=False)] == [
        (Action.CHANGE, "aa"),
        (Action.CREATE, "new"),
    ]
    assert [(step.action, step.job_id) for step in plan(flows, rows, DEFAULTS, prune=True)][2:] == [
        (Action.DELETE, "bb")
    ]


def test_what_is_pruned_can_be_bound_to_labels() -> None:
    rows = [row("ours", options=options(labels={"by": "ci"})), row("theirs", options=options(labels={"by": "x"}))]
    steps = plan([], rows, DEFAULTS, prune=True, only=[label_test("by=ci")])
    assert [(step.action, step.job_id) for step in steps] == [(Action.DELETE, "ours")]


@pytest.mark.parametrize(
    ("given", "present", "patch"),
    [
        ({"stall_after": 5}, {}, {"stall_after": 5}),
        (None, {"stall_after": 5}, {"stall_after": None}),
        (
            {"restart": {"attempts": 3}},
            {"restart": {"attempts": 4, "delay": 9}},
            {"restart": {"attempts": 3, "delay": None}},
        ),
        ({"limits": {"nice": 1}}, {"stall_after": 5}, {"limits": {"nice": 1}, "stall_after": None}),
    ],
)
def test_a_change_makes_the_options_those_of_the_file(
    given: dict[str, Any] | None, present: dict[str, Any], patch: dict[str, Any]
) -> None:
    flow = FlowFile("aa", "toml", "[graph]", given, Path("aa.toml"))
    [step] = plan([flow], [row(options=options(**present))], DEFAULTS, prune=False)
    assert {name: _without_defaults(value, patch.get(name)) for name, value in step.options.items()} == patch


def _without_defaults(value: Any, expected: Any) -> Any:
    """What the server shows of a policy is complete."""
    if isinstance(value, dict) and isinstance(expected, dict):
        return {name: inner for name, inner in value.items() if name in expected}
    return value


def test_a_job_that_is_being_deleted_is_created_again() -> None:
    [step] = plan([FLOW], [row(job_status=JobStatus.DELETEING)], DEFAULTS, prune=False)
    assert (step.action, step.why) == (Action.REPLACE, "it is being deleted")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.b.toml", "[graph]\nx = 1", ("a.b", "toml", "[graph]\nx = 1")),
        ("plain", '{"graph": {}}', ("plain", "json", '{"graph": {}}')),
        ("body", '{"job_id": "id", "job_graph": {"a":  1}}', ("id", "json", '{"a":1}')),
        ("body.json", '\ufeff{"job_id": "id", "job_graph": "[graph]"}', ("id", "toml", "[graph]")),
        ("body", '{"job_id": "id", "job_graph": "{}", "job_graph_format": "json"}', ("id", "json", "{}")),
    ],
)
def test_what_a_file_holds(tmp_path: Path, name: str, text: str, expected: tuple[str, str, str]) -> None:
    (tmp_path / name).write_text(text)
    flow = read_flow(tmp_path / name)
    assert (flow.job_id, flow.graph_format, flow.source) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", b"[graph", "not valid TOML"),
        ("a.json", b'{"graph"', "not valid JSON"),
        ("a.json", b'{"a":' * 100_000, "not valid JSON"),
        ("a.toml", b"\xff", "no UTF-8 text"),
        ("..toml", b"[graph]", "cannot be a job's id"),
        ("body", b'{"job_graph": {}}', "job_id is missing"),
        ("body", b'{"job_id": "aa", "job_graph": 1}', "job_graph must be"),
        ("body", b'{"job_id": "aa", "job_graph": {}, "options": 1}', "options must be"),
    ],
)
def test_a_flow_that_cannot_be_used_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unusable, match=message) as failure:
        read_flow(tmp_path / name)
    assert str(tmp_path / name) in str(failure.value)


def test_a_folder_holds_other_files_too(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("[graph]")
    for name in ("README.md", ".hidden.toml", "DISABLED_two.toml"):
        (tmp_path / name).write_text("[graph]")
    (tmp_path / "notes").write_bytes(b"\xff")
    (tmp_path / "unit.toml").write_text("[base]")
    (tmp_path / "folder.toml").mkdir()
    found = read_all([tmp_path])
    assert [flow.job_id for flow in found.flows] == ["one"]
    assert len(found.skipped) == 2
    with pytest.raises(NoFlow, match="neither a"):
        read_all([tmp_path / "unit.toml"])


def test_two_files_of_one_job_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("[graph]")
    (tmp_path / "two.json").write_text('{"job_id": "one", "job_graph": {}}')
    with pytest.raises(Unusable, match=r"two\.json: job 'one' is in .*one\.toml already"):
        read_all([tmp_path])


def test_a_folder_is_applied(server: Installation, shell: Shell) -> None:
    flows = shell.home / "flows"
    flows.mkdir()
    (flows / "kept.toml").write_text(toml_of(echo_flow(server.flow_port, "/kept")))
    (flows / "body").write_text(
        body_of("moved", echo_flow(server.flow_port, "/before"), options={"stall_after": 7})
    )
    assert shell.run("job", "apply", "-f", "flows", "--dry-run").stdout.splitlines() == [
        "+ create    moved",
        "+ create    kept",
        "2 to create, 0 to change, 0 to delete, 0 unchanged",
    ]
    assert server.list_all() == {}
    refused = shell.run("job", "apply", "-f", "flows")
    assert refused.returncode == 2
    assert "give --yes" in refused.stderr
    assert server.list_all() == {}
    assert shell.run("job", "apply", "-f", "flows", "--yes").stdout.splitlines()[-2:] == [
        "moved RUNNING",
        "kept RUNNING",
    ]
    engines = server.engines()
    again = shell.run("job", "apply", "-f", "flows")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (
        0,
        "0 to create, 0 to change, 0 to delete, 2 unchanged",
    )

    (flows / "body").write_text(
        body_of("moved", echo_flow(server.flow_port, "/after"), options={"stall_after": 7})
    )
    (flows / "kept.toml").rename(flows / "renamed.toml")
    text = (flows / "renamed.toml").read_text()
    (flows / "renamed.toml").write_text(text.replace("/kept", "/renamed"))
    done = shell.run("job", "apply", "-f", "flows", "--prune", "--yes", "-o", "json")
    assert [(step["action"], step["job_id"]) for step in json.loads(done.stdout)] == [
        ("change", "moved"),
        ("create", "renamed"),
        ("delete", "kept"),
    ]
    assert done.stderr.splitlines() == ["moved RUNNING", "renamed RUNNING", "kept deleted"]
    assert server.http.post(f"http://127.0.0.1:{server.flow_port}/after", content="hi").text == "hi"
    assert server.engines().keys() == {"moved", "renamed"}
    assert server.engines()["moved"] != engines["moved"]


def test_a_graph_with_problems_changes_nothing(server: Installation, shell: Shell) -> None:
    (shell.home / "good.toml").write_text(toml_of(echo_flow(server.flow_port, "/good")))
    (shell.home / "broken.toml").write_text(toml_of(bad_flow()))
    done = shell.run("job", "apply", "-f", "good.toml", "-f", "broken.toml", "--yes")
    assert done.returncode == 1
    assert "broken.toml:" in done.stderr
    assert "no_such_unit" in done.stderr
    assert server.word("good") == "NOTEXIST"
    unchecked = shell.run("job", "apply", "-f", "good.toml", "-f", "broken.toml", "--yes", "--no-check")
    assert unchecked.returncode == 1
    assert "broken: request invalid, job config is invalid" in unchecked.stderr
    assert (server.word("good"), server.word("broken")) == ("RUNNING", "FAILED")


def test_on_a_terminal_it_asks(server: Installation, shell: Shell) -> None:
    (shell.home / "asked.toml").write_text(toml_of(echo_flow(server.flow_port, "/asked")))
    with shell.on_terminal("job", "apply", "-f", "asked.toml") as apply:
        apply.wait_for("carry them out?")
        apply.type("n\n")
        assert apply.end() == 2
    assert server.word("asked") == "NOTEXIST"
    with shell.on_terminal("job", "apply", "-f", "asked.toml") as apply:
        apply.wait_for("carry them out?")
        apply.type("y\n")
        assert apply.end() == 0
        assert "asked RUNNING" in apply.text
    assert server.word("asked") == "RUNNING"


def test_ctrl_c_waits_for_the_end_of_a_step() -> None:
    steps: list[str] = []
    with suppress(KeyboardInterrupt):
        with _undisturbed():
            signal.raise_signal(signal.SIGINT)
            steps.append("done")
        steps.append("next")
    assert steps == ["done"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
