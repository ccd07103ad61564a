"""Spec 10.1 and 10.2: units like those of ModelBox's demos, in an installation as a user has it."""

import base64
import time
from pathlib import Path

import httpx
import pytest

from tests.flow.unitapi.folders import chain, write_unit
from tests.installation import Installation, free_port

HELLO = """
    import _flowunit as modelbox
    import json
    import time
    from greeting import greet

    class Unit(modelbox.FlowUnit):
        def __init__(self):
            super().__init__()

        def open(self, config):
            self.item = config.get_string("item", "default")
            modelbox.info("opened with", self.item)
            print("and printed")
            return modelbox.Status.StatusCode.STATUS_SUCCESS

        def process(self, data_context):
            for buffer in data_context.input("in_1"):
                text = greet(json.loads(str(buffer))["msg"]) + " " + time.asctime() + chr(0)
                buffer = modelbox.Buffer(self.get_bind_device(), text.encode("utf-8").strip())
                data_context.output("out_1").push_back(buffer)
            return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
GREETING = "def greet(text):\n    return text.title()\n"
PREPARE = """
    import _flowunit as modelbox
    import base64
    import json
    import numpy as np

    class Unit(modelbox.FlowUnit):
        def process(self, data_context):
            out = data_context.output("out_1")
            for buffer in data_context.input("in_1"):
                body = json.loads(buffer.as_object().strip(chr(0)))
                if not body.get("image"):
                    modelbox.error("no image in the request")
                    failed = modelbox.Buffer(self.get_bind_device(), "")
                    failed.set_error("Prepare.BadRequest", "wrong key of request_body")
                    out.push_back(failed)
                    continue
                pixels = np.frombuffer(base64.b64decode(body["image"]), np.uint8)
                out.push_back(self.create_buffer(((255 - pixels) / 255).astype(np.float32).reshape(2, -1)))
            return modelbox.Status()
"""
INFER = """
    import modelbox
    import numpy as np

    class Unit(modelbox.FlowUnit):
        def process(self, ctx):
            for buffer in ctx.input("in_1"):
                pixels = np.asarray(buffer)
                assert pixels.shape == (2, 5) and pixels.dtype == np.float32
                ctx.output("out_1").push_back(pixels.reshape(-1))
            return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
RESPOND = """
    import _flowunit as modelbox
    import json
    import numpy as np

    class Unit(modelbox.FlowUnit):
        def process(self, ctx):
            for buffer in ctx.input("in_1"):
                if buffer.has_error():
                    answer = {"error_msg": buffer.get_error_msg()}
                else:
                    answer = {"predict_result": str(int(np.argmax(buffer.as_object())))}
                ctx.output("out_1").push_back(json.dumps(answer) + chr(0))
            return modelbox.Status.StatusCode.STATUS_SUCCESS
"""


def post(port: int, **body: str) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/v1/x", json=body, timeout=10, trust_env=False)


def log_of(installation: Installation, job: str) -> str:
    logs = list((installation.state_dir / "logs" / "jobs" / job).glob("*.log"))
    assert len(logs) == 1
    return logs[0].read_text()


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "state")


def test_10_1_hello_world(installed: Installation, tmp_path: Path) -> None:
    units, port = tmp_path / "units", free_port()
    write_unit(units / "hello", "hello", HELLO, config='item = "value"')
    (units / "hello" / "greeting.py").write_text(GREETING)
    with installed as installation:
        installation.start()
        created = installation.create("greets", chain(port, units, "hello"))
        assert created.status_code == 201, created.text
        answer = post(port, msg="hello world!")
        assert answer.status_code == 200
        assert answer.text.startswith("Hello World! ")
        assert answer.content.endswith(f"{time.localtime().tm_year}\0".encode())
        # ModelBox answers 408 after the time-out
        assert post(port, other="x").json() == {"error_code": "hello.ProcessError", "error_msg": "KeyError: 'msg'"}
        assert post(port, msg="again").status_code == 200
        log = log_of(installation, "greets")
    assert "INFO [hello] hello.py:13 open: opened with, value" in log
    assert "and printed" in log
    assert "hello.process raised" in log
    assert "KeyError: 'msg'" in log


def test_10_2_a_model_between_its_preparation_and_its_response(installed: Installation, tmp_path: Path) -> None:
    """As the mnist demo, without its model: the largest of ten inverted pixels."""
    units, port = tmp_path / "units", free_port()
    write_unit(units / "prepare", "prepare", PREPARE, stream=False)
    write_unit(units / "infer", "infer", INFER, stream=False)
    write_unit(units / "respond", "respond", RESPOND, stream=False, exception_visible=True)
    with installed as installation:
        installation.start()
        created = installation.create("digits", chain(port, units, "prepare", "infer", "respond"))
        assert created.status_code == 201, created.text
        image = base64.b64encode(bytes([200, 200, 200, 200, 200, 200, 200, 7, 200, 200])).decode()
        answer = post(port, image=image)
        assert (answer.status_code, answer.content) == (200, b'{"predict_result": "7"}\0')
        answer = post(port, wrong=image)
        assert (answer.status_code, answer.content) == (200, b'{"error_msg": "wrong key of request_body"}\0')
        assert "prepare.py:13 process: no image in the request" in log_of(installation, "digits")


def test_units_of_two_jobs_with_the_same_names(installed: Installation, tmp_path: Path) -> None:
    ports = {"one": free_port(), "two": free_port()}
    with installed as installation:
        installation.start()
        for job, port in ports.items():
            write_unit(tmp_path / job, "hello", HELLO)
            (tmp_path / job / "greeting.py").write_text(f"def greet(text):\n    return {job!r}\n")
            assert installation.create(job, chain(port, tmp_path / job, "hello")).status_code == 201
        for job, port in ports.items():
            assert post(port, msg="x").text.startswith(f"{job} ")


def test_a_unit_that_cannot_be_imported_fails_its_job_with_the_place(
    installed: Installation, tmp_path: Path
) -> None:
    write_unit(tmp_path / "units", "broken", "import no_such_module\n")
    with installed as installation:
        installation.start()
        refused = installation.create("broken", chain(free_port(), tmp_path / "units", "broken"))
        assert refused.status_code == 400
        words = refused.json()["error_msg"]
        assert "import broken@Unit failed: ModuleNotFoundError: No module named 'no_such_module'" in words
        assert f"{tmp_path}/units/broken.py, line 1, in <module>: import no_such_module" in words
        assert installation.word("broken") == "FAILED"
        assert "Traceback" in log_of(installation, "broken")
