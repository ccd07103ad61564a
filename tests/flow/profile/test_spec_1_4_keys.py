"""Spec 1.4, rows `profile.*`: what each key switches on, and where the files go."""

from pathlib import Path

import pytest

from server.flow.profile.settings import DEFAULT_FOLDER, FOLDER_VARIABLE, check_profile, profile_settings
from server.flow.sdk import Flow, FlowGraphDesc
from server.flow.status import FlowError, StatusCode
from tests.flow.profile.support import events, files, settings
from tests.flow.run.programs import flow_of, line, passes, received, running, sent, unit


@pytest.fixture(autouse=True)
def no_folder_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)


def profiled(folder: Path, **keys: object) -> None:
    with running(line("u"), unit("u", passes), settings=settings(folder, **keys)) as flow:
        assert received(sent(flow, "x")) == ["x"]


def kinds(folder: Path) -> list[str]:
    return sorted({path.name.partition("_")[0] for path in folder.iterdir()} if folder.exists() else ())


@pytest.mark.parametrize(
    ("keys", "written"),
    [
        ({"performance": True}, ["performance"]),
        ({"trace": True}, ["trace"]),
        ({"performance": True, "trace": True}, ["performance", "trace"]),
        ({"performance": "1", "trace": "0"}, ["performance"]),
        ({"session": True}, []),
        ({"performance": False, "trace": False}, []),
        ({"profile": True}, []),
        ({"performance": "yes"}, []),
        ({}, []),
    ],
    ids=str,
)
def test_1_4_performance_and_trace_each_write_a_kind_of_file(
    tmp_path: Path, keys: dict[str, object], written: list[str]
) -> None:
    profiled(tmp_path / "perf", **keys)
    assert kinds(tmp_path / "perf") == written


def test_1_4_profile_session_adds_lanes(tmp_path: Path) -> None:
    profiled(tmp_path / "without", trace=True, session=False)
    profiled(tmp_path / "with", trace=True, session=True)
    assert {event["pid"] for event in events(tmp_path / "without")} == {"Graph"}
    lanes = {event["pid"] for event in events(tmp_path / "with")}
    assert len(lanes) == 2
    assert any(lane.startswith("Session:") for lane in lanes)


def test_1_4_profile_dir_default() -> None:
    wanted = profile_settings({"profile.trace": "true"})
    assert wanted is not None
    assert str(wanted.folder) == DEFAULT_FOLDER == "/tmp/modelbox/perf"


def test_1_4_the_variable_overrides_profile_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "variable"))
    profiled(tmp_path / "key", trace=True)
    assert not (tmp_path / "key").exists()
    assert len(files(tmp_path / "variable", "trace")) == 1


def test_1_4_a_relative_profile_dir_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    profiled(Path("perf"), trace=True)
    assert len(files(tmp_path / "perf", "trace")) == 1


@pytest.mark.parametrize("top", ["bin", "boot", "sbin", "etc", "dev", "proc", "sys", "var"])
@pytest.mark.parametrize("form", ["/{}", "/{}/", "/{}/x/y", "//{}/x", "/tmp/../{}/x", "/./{}", "/{}/x\ny"])
def test_1_4_forbidden_folders(monkeypatch: pytest.MonkeyPatch, top: str, form: str) -> None:
    folder = form.format(top)
    with pytest.raises(FlowError) as caught:
        check_profile({"profile.dir": folder})
    assert caught.value.code is StatusCode.FAULT
    assert caught.value.messages[0] == "Initial profiler failed."
    assert "profile.dir" in caught.value.messages[1]
    monkeypatch.setenv(FOLDER_VARIABLE, folder)
    with pytest.raises(FlowError, match=FOLDER_VARIABLE):
        check_profile({"profile.trace": "true"})


@pytest.mark.parametrize("folder", ["/various", "/tmp/etc", "/home/dev", "/srv/var", "/", ""])
def test_1_4_other_folders_are_not_forbidden(folder: str) -> None:
    check_profile({"profile.dir": folder})


def test_1_4_a_forbidden_variable_harms_no_flow_without_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, "/etc")
    with running(line("u"), unit("u", passes)) as flow:
        assert received(sent(flow, "x")) == ["x"]


def test_1_4_a_forbidden_variable_is_seen_when_a_stored_plan_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_of(line("u"), [unit("u", passes)], settings(tmp_path, trace=True))
    monkeypatch.setenv(FOLDER_VARIABLE, "/etc")
    status = flow.start_run()
    assert "Initial profiler failed." in status.wrap_errormsgs()


def test_1_4_a_graph_that_a_program_describes_is_profiled(tmp_path: Path) -> None:
    """Spec 5.13: `set_profile_dir`, `set_profile_trace_enable`."""
    graph = FlowGraphDesc()
    graph.set_profile_dir(str(tmp_path))
    graph.set_profile_trace_enable(True)
    passing = graph.add_function(passes, ["in_1"], ["out_1"], {"in_1": graph.add_input("in")[0]})
    graph.add_output("out", passing["out_1"])
    flow = Flow()
    assert flow.init(graph)
    assert flow.start_run()
    assert received(sent(flow, "x")) == ["x"]
    flow.stop()
    assert [event["name"] for event in events(tmp_path)] == ["OPEN", "PROCESS", "CLOSE"]


def test_without_a_profile_nothing_stands_between_node_and_unit(tmp_path: Path) -> None:
    described, maker = unit("u", passes)
    flow = flow_of(line("u"), [(described, maker)], settings(tmp_path))
    assert flow.build()
    try:
        assert flow._thread is not None
        assert type(flow._thread._flow._nodes["u"].unit) is maker
        assert flow._thread._flow._profiler is None
    finally:
        flow.stop()
