"""How `flow run` ends: drained by one Ctrl-C, at once by two, and when the flow itself fails."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from tests.flow.commands.graphs import toml_graph
from tests.flow.commands.program import flow, running, started
from tests.installation import free_port

DOT = """digraph slow {
  rx[flowunit=httpserver_sync_receive, endpoint="http://127.0.0.1:PORT", time_out_ms=60000]
  slow[flowunit=slow]
  tx[flowunit=httpserver_sync_reply]
  rx:out_request_info -> slow:in_1
  slow:out_1 -> tx:in_reply_info
}"""

DESCRIPTION = """
[base]
name = "slow"
device = "cpu"
version = "1.0.0"
description = "waits until a file is there"
type = "python"
entry = "slow@Slow"
[input.input1]
name = "in_1"
[output.output1]
name = "out_1"
"""

SLOW = """
import time
from pathlib import Path
import _flowunit as modelbox

HERE = Path(__file__).parent

class Slow(modelbox.FlowUnit):
    def process(self, data_context):
        buffer = data_context.input("in_1")[0]
        (HERE / "entered").touch()
        while not (HERE / "go_on").exists():
            time.sleep(0.01)
        data_context.output("out_1").push_back(buffer)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
"""

FAILING_DESCRIPTION = DESCRIPTION.replace("[input.input1]\n", "").replace('name = "in_1"\n', "")

FAILING = """
import _flowunit as modelbox

class Slow(modelbox.FlowUnit):
    def open(self, config):
        session = self.create_external_data()
        buffers = session.create_buffer_list()
        buffers.push_back("x")
        session.send(buffers)
        session.close()
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        print("on stdout", flush=True)
        modelbox.error("said by the unit")
        return modelbox.Status(modelbox.Status.StatusCode.STATUS_STOP, "had enough")
"""


def unit(folder: Path, description: str, code: str) -> str:
    """Makes the unit `slow`; the settings that a graph needs for it."""
    (folder / "slow").mkdir()
    (folder / "slow" / "slow.toml").write_text(description)
    (folder / "slow" / "slow.py").write_text(code)
    return f'[driver]\ndir = "{folder}/slow"\n'


def wait_for(path: Path) -> None:
    deadline = monotonic() + 30
    while not path.exists():
        assert monotonic() < deadline, f"{path} does not appear"
        sleep(0.01)


@pytest.fixture
def client() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


def test_the_first_ctrl_c_lets_requests_in_flight_finish(tmp_path: Path, client: ThreadPoolExecutor) -> None:
    port = free_port()
    graph = toml_graph(tmp_path, DOT, port, unit(tmp_path, DESCRIPTION, SLOW))
    with client, running(graph, port) as under_way:
        in_flight = client.submit(under_way.http.post, "/", content="patience")
        wait_for(tmp_path / "slow" / "entered")
        under_way.interrupt()
        assert under_way.process.stderr is not None
        while not under_way.process.stderr.readline().startswith("nothing new is taken"):
            assert under_way.process.poll() is None
        refused = False
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
            except httpx.TransportError:
                refused = True
                break
            sleep(0.02)
        assert refused
        (tmp_path / "slow" / "go_on").touch()
        answer = in_flight.result(30)
        assert (answer.status_code, answer.text) == (200, "patience")
        code, errors = under_way.end()
    assert code == 0
    assert "drained after" in errors


def test_the_second_ctrl_c_ends_it_at_once(tmp_path: Path, client: ThreadPoolExecutor) -> None:
    port = free_port()
    graph = toml_graph(tmp_path, DOT, port, unit(tmp_path, DESCRIPTION, SLOW))
    with client, running(graph, port) as under_way:
        in_flight = client.submit(under_way.http.post, "/", content="patience")
        wait_for(tmp_path / "slow" / "entered")
        under_way.interrupt()
        assert under_way.process.stderr is not None
        while not under_way.process.stderr.readline().startswith("nothing new is taken"):
            assert under_way.process.poll() is None
        under_way.interrupt()
        code, errors = under_way.end()
        assert code == 130
        assert "ended at once" in errors
        with pytest.raises(httpx.TransportError):
            in_flight.result(30)


SENDING_DESCRIPTION = FAILING_DESCRIPTION.replace('"slow"', '"sender"').replace("slow@Slow", "sender@Sender")

SENDING = """
import threading
import time
from pathlib import Path
import _flowunit as modelbox

HERE = Path(__file__).parent

class Sender(modelbox.FlowUnit):
    def open(self, config):
        self.session = self.create_external_data()
        threading.Thread(target=self.send, daemon=True).start()
        return modelbox.Status()

    def send(self):
        count = 0
        while True:
            buffers = self.session.create_buffer_list()
            buffers.push_back(str(count))
            if not self.session.send(buffers):
                break
            count += 1
            time.sleep(0.001)
        (HERE / "sent").write_text(str(count))

    def process(self, data_context):
        for buffer in data_context.external():
            data_context.output("out_1").push_back(buffer)
        return modelbox.Status()

    def close(self):
        (HERE / "closed").touch()
        return modelbox.Status()
"""

RECEIVING = """
from pathlib import Path
import _flowunit as modelbox

HERE = Path(__file__).parent

class Slow(modelbox.FlowUnit):
    def open(self, config):
        self.got = []
        return modelbox.Status()

    def process(self, data_context):
        self.got += [int(str(buffer)) for buffer in data_context.input("in_1")]
        (HERE / "entered").touch()
        import time; time.sleep(WAIT)
        return modelbox.Status()

    def data_post(self, data_context):
        (HERE / "received").write_text(str(self.got == list(range(len(self.got)))) + f" {len(self.got)}")
        return modelbox.Status()
"""
RECEIVING_DESCRIPTION = DESCRIPTION.replace('[output.output1]\nname = "out_1"\n', "")
SENDING_DOT = "digraph g { a[flowunit=sender]; b[flowunit=slow]; a:out_1 -> b:in_1 }"


def sending_graph(folder: Path, wait: float) -> Path:
    settings = unit(folder, RECEIVING_DESCRIPTION, RECEIVING.replace("WAIT", str(wait)))
    (folder / "slow" / "sender.toml").write_text(SENDING_DESCRIPTION)
    (folder / "slow" / "sender.py").write_text(SENDING)
    return toml_graph(folder, SENDING_DOT, 0, settings)


def test_ctrl_c_drains_what_source_units_sent(tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    with started(sending_graph(tmp_path, 0.005)) as under_way:
        wait_for(folder / "entered")
        under_way.interrupt()
        code, errors = under_way.end()
    assert code == 0
    assert errors.splitlines()[-1].startswith("drained after ")
    # in order, all of it, then the end of the stream; and no send was taken any more
    assert (folder / "received").read_text() == f"True {(folder / 'sent').read_text()}"
    assert (folder / "closed").exists()


def test_ctrl_c_while_a_unit_opens_ends_it(tmp_path: Path) -> None:
    opening = SLOW.replace("def process(self, data_context):", "def open(self, config):")
    opening = opening.replace('        buffer = data_context.input("in_1")[0]\n', "")
    with started(toml_graph(tmp_path, DOT, free_port(), unit(tmp_path, DESCRIPTION, opening))) as under_way:
        wait_for(tmp_path / "slow" / "entered")
        under_way.interrupt()
        code, errors = under_way.end()
    assert code == 130
    assert errors.splitlines()[-1] == "ended before all its units were open"


def test_what_cannot_be_drained_in_time_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    with started(sending_graph(tmp_path, 0.5), "--grace", "0.1") as under_way:
        wait_for(folder / "entered")
        under_way.interrupt()
        code, errors = under_way.end()
    assert code == 1
    assert "cut off after" in errors
    assert "1 sessions were not through when the 0.1 s to drain were over" in errors
    assert (folder / "closed").exists()


def test_a_flow_that_fails_says_why(tmp_path: Path) -> None:
    dot = "digraph f { a[flowunit=slow]; b[flowunit=httpserver_sync_reply]; a:out_1 -> b:in_reply_info }"
    graph = toml_graph(tmp_path, dot, 0, unit(tmp_path, FAILING_DESCRIPTION, FAILING))
    done = flow("run", graph)
    assert done.returncode == 1
    assert done.stdout == "on stdout\n"
    assert "said by the unit" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("failed after ")
    assert "Stop operation" in last
    assert "had enough" in last


def test_a_unit_that_cannot_be_loaded(tmp_path: Path) -> None:
    graph = toml_graph(tmp_path, DOT, free_port(), unit(tmp_path, DESCRIPTION, "import no_such_module\n"))
    done = flow("run", graph)
    assert done.returncode == 2
    assert "no_such_module" in done.stderr


def test_log_lines_below_the_level_are_left_out(tmp_path: Path) -> None:
    dot = "digraph f { a[flowunit=slow]; b[flowunit=httpserver_sync_reply]; a:out_1 -> b:in_reply_info }"
    quiet = FAILING.replace("modelbox.error", "modelbox.warn")
    graph = toml_graph(tmp_path, dot, 0, unit(tmp_path, FAILING_DESCRIPTION, quiet))
    assert "said by the unit" in flow("run", graph, "--log-level", "warning").stderr
    assert "said by the unit" not in flow("run", graph, "--log-level", "error").stderr
