"""Spec 9, `performance_*.json`: cpu and memory at each sample, and how long units take."""

import os
import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from server.flow.unitapi import DataContext
from tests.flow.profile.support import files, reports, settings
from tests.flow.run.programs import line, passes, received, running, sent, unit


def slow(context: DataContext) -> object:
    time.sleep(0.02)
    return passes(context)


def report_of(folder: Path, pause: float = 0.0) -> dict[str, Any]:
    made = [unit("slow", slow), unit("fast", passes)]
    with running(line("slow", "fast"), *made, settings=settings(folder, performance=True)) as flow:
        assert received(sent(flow, "a", "b", "c")) == ["a", "b", "c"]
        time.sleep(pause)
    (report,) = reports(folder)
    return report


def test_9_the_name_has_the_local_time(tmp_path: Path) -> None:
    report_of(tmp_path)
    (path,) = files(tmp_path, "performance")
    assert re.fullmatch(r"performance_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.json", path.name)


def test_9_cpu_usage(tmp_path: Path) -> None:
    before = time.time()
    samples = report_of(tmp_path)["cpu_usage"]
    assert samples
    for sample in samples:
        assert set(sample) == {"timestamp", "percentage"}
        assert before * 1e6 - 1 <= sample["timestamp"] <= time.time() * 1e6
        assert 0 <= sample["percentage"] <= 100
    assert any(sample["percentage"] > 0 for sample in samples)


def test_9_memory_usage(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    samples = report["memory_usage"]
    assert [each["timestamp"] for each in samples] == [each["timestamp"] for each in report["cpu_usage"]]
    for sample in samples:
        assert set(sample) == {"timestamp", "host_mem", "host_mem_percentage", "device_memory"}
        assert 1_000_000 < sample["host_mem"] < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        assert 0 < sample["host_mem_percentage"] < 100
        (device,) = sample["device_memory"]
        assert set(device) == {"device", "device_mem", "device_mem_percentage"}
        assert device["device"] == "cpu:0"
        assert device["device_mem"] == sample["host_mem"]


def test_9_a_sample_every_100_ms(tmp_path: Path) -> None:
    samples = report_of(tmp_path, pause=0.55)["cpu_usage"]
    # the last one is taken at the stop, and a busy machine may miss some of the others
    gaps = [after["timestamp"] - one["timestamp"] for one, after in pairwise(samples[:-1])]
    assert gaps
    assert all(gap >= 90_000 for gap in gaps)


def test_9_flow_unit_performance(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    fast, slow = report["flow_unit_performance"]
    assert (fast["flow_unit_name"], slow["flow_unit_name"]) == ("fast", "slow")
    assert fast["process_count"] == slow["process_count"] == slow["buffer_count"] == 3
    assert 20_000 <= slow["process_latency"] <= slow["process_latency_max"]
    assert fast["process_latency"] < slow["process_latency"]


def test_9_a_report_says_whose_it_is(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    assert (report["graph"], report["process_id"]) == ("g", os.getpid())
    assert set(report) == {"cpu_usage", "memory_usage", "flow_unit_performance", "graph", "process_id"}
