"""What jobs take, from the text of metrics."""

import pytest

from server.commands.usage import Usage, cells, size

METRICS = """# HELP modelbox_job_memory_bytes Memory.
# TYPE modelbox_job_memory_bytes gauge
modelbox_job_memory_bytes{job_id="a-b"} 10485760.0
modelbox_job_cpu_seconds_total{job_id="a-b"} 12.5
modelbox_job_cpu_seconds_total{job_id="c"} 1.0
modelbox_process_memory_bytes{process="api"} 5.0
"""


def test_shares_are_of_the_time_between_two_looks() -> None:
    now = Usage.of(METRICS)
    assert (now.cpu, now.memory) == ({"a-b": 12.5, "c": 1.0}, {"a-b": 10485760.0})
    before = Usage(now.taken_at - 5, {"a-b": 10.0, "c": 3.0}, {})
    assert [cell.text for cell in cells("a-b", now, before)] == ["50%", "10M"]
    # an engine that was replaced counts from nothing
    assert [cell.text for cell in cells("c", now, before)] == ["", ""]
    assert [cell.text for cell in cells("unknown", now, before)] == ["", ""]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1000, "0.977K"), (10_300_000, "9.82M"), (3e15, "2728T")]
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text
