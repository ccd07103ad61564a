"""Spec 9, `trace_*.json`: which calls leave an event, and what it says."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.flow.unitapi import DataContext, FlowUnitEvent
from tests.flow.profile.support import events, files, settings
from tests.flow.run.programs import (
    COLLAPSE,
    CONTINUE,
    EXPAND,
    SUCCESS,
    Unit,
    line,
    passes,
    push,
    received,
    running,
    sent,
    texts,
    unit,
)


def traced(folder: Path, dot: str, units: list[Unit], *sessions: list[str], session: bool = False) -> list[Any]:
    with running(dot, *units, settings=settings(folder, trace=True, session=session)) as flow:
        streams = [sent(flow, *items) for items in sessions]
        for stream in streams:
            received(stream)
    return events(folder)


def named(found: list[Any], name: str, lane: str = "Graph") -> list[Any]:
    return [event for event in found if event["name"] == name and event["pid"] == lane]


def succeeds(_: object) -> object:
    return SUCCESS


def test_9_the_name_has_the_local_time(tmp_path: Path) -> None:
    before = time.strftime("%Y-%m-%d-%H-%M-%S")
    traced(tmp_path, line("u"), [unit("u", passes)], ["x"])
    (path,) = files(tmp_path, "trace")
    stamp = re.fullmatch(r"trace_(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)\.json", path.name)
    assert stamp
    assert before <= stamp[1] <= time.strftime("%Y-%m-%d-%H-%M-%S")


def test_9_an_event_has_the_keys_of_chrome_traces(tmp_path: Path) -> None:
    before = time.time()
    found = traced(tmp_path, line("u"), [unit("u", passes)], ["x"])
    (event,) = named(found, "PROCESS")
    assert set(event) == {"name", "ph", "ts", "dur", "pid", "tid", "args"}
    assert (event["ph"], event["pid"], event["tid"]) == ("X", "Graph", "u")
    assert before * 1e6 - 1 <= event["ts"] <= time.time() * 1e6
    assert event["args"] == {"batch_size": 1, "node": "u"}
    assert isinstance(event["dur"], int)


@pytest.mark.parametrize("normal", [False, True], ids=["stream", "normal"])
def test_9_one_event_for_each_call(tmp_path: Path, normal: bool) -> None:
    made = unit("u", passes, normal=normal, batch=1, data_pre=succeeds, data_post=succeeds)
    found = traced(tmp_path, line("u"), [made], ["a", "b", "c"], ["d"])
    streams = 0 if normal else 2
    expected = {"OPEN": 1, "PROCESS": 4, "CLOSE": 1, "STREAM_OPEN": streams, "STREAM_CLOSE": streams}
    assert Counter(event["name"] for event in found) == Counter({k: n for k, n in expected.items() if n})


def test_9_methods_that_a_unit_does_not_define_are_not_called_and_leave_no_event(tmp_path: Path) -> None:
    found = traced(tmp_path, line("u"), [unit("u", passes)], ["a"])
    assert not named(found, "STREAM_OPEN")
    assert not named(found, "STREAM_CLOSE")


def test_9_dur_is_the_time_of_the_call_in_microseconds(tmp_path: Path) -> None:
    def slow(context: DataContext) -> object:
        time.sleep(0.05)
        return passes(context)

    (event,) = named(traced(tmp_path, line("u"), [unit("u", slow)], ["x"]), "PROCESS")
    assert event["dur"] >= 50_000


def test_9_tid_is_the_unit_s_name_and_the_node_is_an_argument(tmp_path: Path) -> None:
    dot = """in[type=input]; out[type=output]; a[flowunit=u]; b[flowunit=u]
    in -> a:in_1; a:out_1 -> b:in_1; b:out_1 -> out"""
    found = named(traced(tmp_path, dot, [unit("u", passes)], ["x"]), "PROCESS")
    assert {(event["tid"], event["args"]["node"]) for event in found} == {("u", "a"), ("u", "b")}


def test_9_input_and_output_nodes_have_no_unit_and_no_events(tmp_path: Path) -> None:
    found = traced(tmp_path, line("u"), [unit("u", passes)], ["x"])
    assert {event["args"]["node"] for event in found} == {"u"}


def test_9_batch_size_counts_the_buffers_of_the_call(tmp_path: Path) -> None:
    seen: list[int] = []

    def counts(context: DataContext) -> object:
        seen.append(len(texts(context)))
        context.input("in_1")._buffers.append("a unit may do what it wants with its lists")  # type: ignore[union-attr, arg-type]
        return push(context, *["x"] * seen[-1])

    made = [unit("first", passes), unit("u", counts, normal=True, batch=4)]
    found = named(traced(tmp_path, line("first", "u"), made, [str(n) for n in range(20)]), "PROCESS")
    sizes = [event["args"]["batch_size"] for event in found if event["tid"] == "u"]
    assert sorted(sizes) == sorted(seen)
    assert sum(sizes) == 20


def test_9_an_event_of_the_unit_s_own_is_a_call_without_buffers(tmp_path: Path) -> None:
    def twice(context: DataContext) -> object:
        if context.event() is not None:
            return push(context, "event")
        context.send_event(FlowUnitEvent())
        passes(context)
        return CONTINUE

    found = named(traced(tmp_path, line("u"), [unit("u", twice)], ["x"]), "PROCESS")
    assert [event["args"]["batch_size"] for event in found] == [1, 0]


def fails(_: object) -> object:
    raise ValueError("as a test does")


def returns_nonsense(context: DataContext) -> object:
    passes(context)
    return None


@pytest.mark.parametrize("process", [fails, returns_nonsense])
def test_9_a_call_that_fails_leaves_its_event_too(tmp_path: Path, process: Callable[..., object]) -> None:
    found = traced(tmp_path, line("u"), [unit("u", process)], ["x"])
    assert len(named(found, "PROCESS")) == 1


def test_9_a_flow_whose_units_do_not_open_says_what_was_called(tmp_path: Path) -> None:
    made = unit("u", passes, opened=fails)
    with (
        pytest.raises(AssertionError, match="open"),
        running(line("u"), made, settings=settings(tmp_path, trace=True)),
    ):
        raise RuntimeError("it opened")
    assert [event["name"] for event in events(tmp_path)] == ["OPEN"]


def test_9_session_lanes_have_what_belongs_to_the_session(tmp_path: Path) -> None:
    ids: dict[str, str] = {}

    def notes(context: DataContext) -> object:
        ids[texts(context)[0]] = context.get_session_context().get_session_id()
        return passes(context)

    made = unit("u", notes, data_pre=succeeds)
    found = traced(tmp_path, line("u"), [made], ["a"], ["b"], session=True)
    assert {event["pid"] for event in found} == {"Graph", *(f"Session:{each}" for each in ids.values())}
    for each in ids.values():
        lane = [event["name"] for event in found if event["pid"] == f"Session:{each}"]
        assert lane == ["STREAM_OPEN", "PROCESS"]
    assert Counter(event["name"] for event in found if event["pid"] == "Graph") == Counter(
        {"OPEN": 1, "CLOSE": 1, "STREAM_OPEN": 2, "PROCESS": 2}
    )


def test_9_a_batch_of_several_sessions_is_in_the_lane_of_each(tmp_path: Path) -> None:
    all_sent = threading.Event()

    def waits(context: DataContext) -> object:
        assert all_sent.wait(10)
        return passes(context)

    made = unit("u", waits, normal=True, batch=100)
    few_threads = {"graph.max-thread-num": "2", **settings(tmp_path, trace=True, session=True)}
    with running(line("u"), made, settings=few_threads) as flow:
        streams = [sent(flow, "one", "more") for _ in range(8)]
        all_sent.set()
        assert [received(stream) for stream in streams] == [["one", "more"]] * 8
    found = events(tmp_path)
    lanes_of_calls = []
    for call in named(found, "PROCESS"):
        same = [event for event in found if (event["name"], event["ts"]) == ("PROCESS", call["ts"])]
        lanes = {event["pid"] for event in same} - {"Graph"}
        assert len(same) == len(lanes) + 1
        assert 1 <= len(lanes) <= call["args"]["batch_size"]
        lanes_of_calls.append(lanes)
    assert len(set.union(*lanes_of_calls)) == 8
    assert max(map(len, lanes_of_calls)) > 1


def test_9_units_of_every_kind_work_as_without_a_trace(tmp_path: Path) -> None:
    def splits(context: DataContext) -> object:
        return push(context, *texts(context)[0])

    def glues(context: DataContext) -> object:
        return push(context, "".join(texts(context)))

    made = [
        unit("split", splits, normal=True, batch=1, **EXPAND),
        unit("glue", glues, collapse_all=True, **COLLAPSE),
    ]
    with running(line("split", "glue"), *made, settings=settings(tmp_path, trace=True, session=True)) as flow:
        assert received(sent(flow, "abc", "de")) == ["abc", "de"]
    found = named(events(tmp_path), "PROCESS")
    assert Counter((event["tid"], event["args"]["batch_size"]) for event in found) == Counter(
        {("split", 1): 2, ("glue", 3): 1, ("glue", 2): 1}
    )
