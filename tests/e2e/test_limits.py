"""`options.limits` and `[jobs] max`: what a job may take, and what is told when it wants more."""

from pathlib import Path

import httpx
import pytest

from tests.flow.unitapi.folders import chain, write_unit
from tests.history import read_history
from tests.installation import Installation, echo_flow, free_port

GREEDY = """
    import modelbox

    class Unit(modelbox.FlowUnit):
        held = []

        def process(self, ctx):
            for buffer in ctx.input("in_1"):
                self.held.append(bytearray(int(str(buffer))))
                ctx.output("out_1").push_back("eaten")
            return modelbox.Status()
"""
MIB = 1024 * 1024


def eat(port: int, size: int) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/v1/x", content=str(size), timeout=10, trust_env=False)


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "state")


def test_a_job_that_wants_too_much_memory_is_told_so_and_harms_no_other(
    installed: Installation, tmp_path: Path
) -> None:
    write_unit(tmp_path / "units", "greedy", GREEDY)
    port, other = free_port(), free_port()
    options = {"limits": {"memory": 64 * MIB, "threads": 100}, "restart": {"policy": "never"}}
    with installed as installation:
        installation.start()
        assert installation.create("calm", echo_flow(other)).status_code == 201
        created = installation.create("greedy", chain(port, tmp_path / "units", "greedy"), options=options)
        assert created.status_code == 201, created.text
        assert eat(port, MIB).text == "eaten"
        # more than any process of it may allocate: one call fails, and the flow goes on
        refused = eat(port, 10_000 * MIB)
        assert refused.status_code == 500
        assert refused.json()["error_msg"].startswith("Out of memory, MemoryError")
        assert eat(port, MIB).text == "eaten"
        # this much can be allocated, and is noticed
        eat(port, 100 * MIB)
        installation.wait_for("greedy", "FAILED")
        status = installation.status("greedy").json()
        assert status["job_error_msg"].startswith("Out of memory, the job's processes hold")
        history = read_history(installation.state_dir / "modelbox.db")
        (end,) = [row.data for row in history if row.type == "engine-exited"]
        assert (end["signal"], end["out_of_memory"]) == (9, True)
        assert installation.word("calm") == "RUNNING"


def test_limits_that_make_no_sense_are_refused(installed: Installation) -> None:
    with installed as installation:
        installation.start()
        answer = installation.create("odd", echo_flow(free_port()), options={"limits": {"memory": 5}})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "MODELBOX_006")
        assert "options.limits: memory must be at least" in answer.json()["error_msg"]
        assert installation.word("odd") == "NOTEXIST"


def test_a_create_beyond_the_number_of_jobs_is_refused(tmp_path: Path) -> None:
    conf = tmp_path / "server.toml"
    conf.write_text("[jobs]\nmax = 2\n")
    with Installation(tmp_path / "state", None, "--conf", str(conf)) as installation:
        installation.start()
        codes = [installation.create(job, echo_flow(free_port())).status_code for job in ("one", "two")]
        assert codes == [201, 201]
        refused = installation.create("three", echo_flow(free_port()))
        assert (refused.status_code, refused.json()["error_code"]) == (429, "MODELBOX_009")
        assert installation.word("three") == "NOTEXIST"
        assert installation.delete("one").status_code == 204
        assert installation.create("three", echo_flow(free_port())).status_code == 201
