"""Spec 5.2: the calls of a Python unit in a flow, what it may return, and what becomes of what it raises."""

import asyncio
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from server.flow.flow import Flow
from server.flow.graph import compile_graph
from server.flow.status import FlowError, StatusCode
from tests.flow.http.support import free_port, running
from tests.flow.unitapi.folders import chain, write_unit

METHODS = {
    "open": "self, config",
    "process": "self, ctx",
    "data_pre": "self, ctx",
    "data_post": "self, ctx",
    "close": "self",
}
COPY = """
        for buffer in ctx.input("in_1"):
            ctx.output("out_1").push_back(buffer)
"""


def unit_with(**bodies: str) -> str:
    """A unit that passes its buffers on; each body is the end of a method of that name."""
    bodies = {"process": "return modelbox.Status.StatusCode.STATUS_SUCCESS", **bodies}
    code = "import _flowunit as modelbox\nclass Unit(modelbox.FlowUnit):\n"
    for name, body in bodies.items():
        start = COPY if name == "process" else "\n"
        code += f"    def {name}({METHODS[name]}):{start}        {body}\n"
    return code


def plan_of(tmp_path: Path, port: int, code: str, **keys: Any) -> Any:
    write_unit(tmp_path, "u", code, **keys)
    return compile_graph(json.dumps(chain(port, tmp_path, "u")), "json")


async def ask(port: int, body: bytes = b"hi") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.post(f"http://127.0.0.1:{port}/v1/x", content=body)


async def open_error(tmp_path: Path, code: str) -> FlowError:
    flow_plan = plan_of(tmp_path, free_port(), code)
    with pytest.raises(FlowError) as caught:
        async with running(flow_plan):
            raise AssertionError("it was opened")
    return caught.value


async def end_of(flow: Flow) -> StatusCode:
    return (await asyncio.wait_for(flow.ended(), 10)).code


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "returned", ["modelbox.Status.StatusCode.STATUS_SUCCESS", "modelbox.Status()", "modelbox.Status(True)"]
)
async def test_5_2_accepted_values_of_every_method(tmp_path: Path, returned: str, stream: bool) -> None:
    port = free_port()
    code = unit_with(**dict.fromkeys(METHODS, f"return {returned}"))
    async with running(plan_of(tmp_path, port, code, stream=stream)):
        assert (await ask(port)).content == b"hi"


async def test_5_2_methods_that_are_not_defined_succeed(tmp_path: Path) -> None:
    """Deviation, which the spec recommends: in ModelBox a call of an undefined method raises."""
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with(), stream=True)):
        assert (await ask(port)).content == b"hi"


async def test_5_2_a_unit_that_does_not_call_the_base_constructor(tmp_path: Path) -> None:
    """Deviation: ModelBox refuses it."""
    port = free_port()
    code = unit_with() + "    def __init__(self):\n        self.x = 1\n"
    async with running(plan_of(tmp_path, port, code)):
        assert (await ask(port)).content == b"hi"


async def test_5_2_open_gets_the_description_s_config_overlaid_by_the_node(tmp_path: Path) -> None:
    code = unit_with(
        open='raise ValueError(config.get_string("a") + config.get_string("b") + config.get_string("t.c"))'
    )
    write_unit(tmp_path, "u", code, config='a = "1"\nb = "2"\n[config.t]\nc = "3"')
    flow_plan = compile_graph(json.dumps(chain(free_port(), tmp_path, "u", b="4")), "json")
    with pytest.raises(FlowError, match="ValueError: 143"):
        async with running(flow_plan):
            raise AssertionError("it was opened")


def test_5_2_only_the_cpu_has_python_units(tmp_path: Path) -> None:
    write_unit(tmp_path, "u", unit_with(), device="cuda")
    graph = json.dumps(chain(free_port(), tmp_path, "u")).replace(
        "flowunit=u, device=cpu", "flowunit=u, device=cuda"
    )
    with pytest.raises(FlowError, match="there is no device type 'cuda' here, only cpu"):
        compile_graph(graph, "json")


async def test_5_2_exception_in_open(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    error = await open_error(tmp_path, unit_with(open="raise OSError('no camera')"))
    assert error.code is StatusCode.FAULT
    assert str(error) == (
        "Fault, build graph failed, please check graph config. -> open flowunit 'u', type 'cpu' failed. -> "
        f"u@Unit function open error: OSError: no camera -> node 'u': {tmp_path}/u.py, line 8, in open: "
        "raise OSError('no camera')"
    )
    assert "Traceback" in caplog.text


async def test_5_2_exception_while_importing(tmp_path: Path) -> None:
    error = await open_error(tmp_path, "import no_such_thing\n")
    assert error.code is StatusCode.INVALID
    assert str(error) == (
        "Invalid argument, build graph failed, please check graph config. -> "
        "open flowunit 'u', type 'cpu' failed. -> import u@Unit failed: "
        "ModuleNotFoundError: No module named 'no_such_thing' -> "
        f"node 'u': {tmp_path}/u.py, line 1, in <module>: import no_such_thing"
    )


@pytest.mark.parametrize(
    ("returned", "code", "words"),
    [
        ("modelbox.Status(modelbox.Status.StatusCode.STATUS_BADCONF, 'no size')", StatusCode.BADCONF, "no size"),
        ("modelbox.Status.StatusCode.STATUS_NOTFOUND", StatusCode.NOTFOUND, "u open failed, Not found"),
        ("modelbox.Status.StatusCode.STATUS_CONTINUE", StatusCode.CONTINUE, "u open failed"),
        ("modelbox.Status.StatusCode.STATUS_STOP", StatusCode.STOP, "u open failed"),
        ("None", StatusCode.FAULT, "u.open returned None"),
        ("True", StatusCode.FAULT, "u.open returned True"),
        ("0", StatusCode.FAULT, "u.open returned 0"),
    ],
)
async def test_4_10_open_fails_unless_it_returns_success(
    tmp_path: Path, returned: str, code: StatusCode, words: str
) -> None:
    error = await open_error(tmp_path, unit_with(open=f"return {returned}"))
    assert error.code is code
    assert words in str(error)


@pytest.mark.parametrize("returned", ["None", "True", "0", "'ok'", "modelbox.Status.StatusCode"])
async def test_5_2_process_that_returns_something_else_ends_the_flow(tmp_path: Path, returned: str) -> None:
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with(process=f"return {returned}"))) as flow:
        answer = asyncio.create_task(ask(port))
        assert await end_of(flow) in (StatusCode.STOP, StatusCode.SHUTDOWN)
        await flow.stop(0)
        assert (await answer).status_code >= 500


@pytest.mark.parametrize("name", ["STOP", "SHUTDOWN"])
async def test_4_10_process_that_stops_ends_the_flow(tmp_path: Path, name: str) -> None:
    port = free_port()
    code = unit_with(process=f"return modelbox.Status.StatusCode.STATUS_{name}")
    async with running(plan_of(tmp_path, port, code)) as flow:
        answer = asyncio.create_task(ask(port))
        assert await end_of(flow) in (StatusCode.STOP, StatusCode.SHUTDOWN)
        await flow.stop(0)
        assert (await answer).status_code >= 500


@pytest.mark.parametrize("stream", [True, False])
async def test_4_10_any_other_status_of_process_is_an_error_and_the_flow_goes_on(
    tmp_path: Path, stream: bool
) -> None:
    port = free_port()
    code = unit_with(
        process="return modelbox.Status(modelbox.Status.StatusCode.STATUS_BUSY, 'full') "
        "if str(ctx.input('in_1')[0]) == 'bad' else modelbox.Status()"
    )
    async with running(plan_of(tmp_path, port, code, stream=stream)):
        refused = await ask(port, b"bad")
        assert refused.status_code == 500
        assert refused.json() == {"error_code": "u.ProcessError", "error_msg": "full"}
        assert (await ask(port)).content == b"hi"


async def test_5_2_exception_in_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Deviation: the client is told what was raised; in ModelBox the message is empty and nobody is answered."""
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with(process="raise KeyError('msg')"))):
        refused = await ask(port)
    assert refused.json() == {"error_code": "u.ProcessError", "error_msg": "KeyError: 'msg'"}
    assert "u.process raised" in caplog.text
    assert f'{tmp_path}/u.py", line ' in caplog.text


@pytest.mark.parametrize(
    "body", ["raise ValueError('pre')", "return None", "return 1", "return modelbox.Status(False)"]
)
async def test_5_2_data_pre_that_fails(tmp_path: Path, body: str) -> None:
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with(data_pre=body))):
        for _ in range(2):
            refused = await ask(port)
            assert (refused.status_code, refused.json()["error_code"]) == (500, "u.DataPreError")


@pytest.mark.parametrize(
    "body", ["raise ValueError('post')", "return None", "return 1", "return modelbox.Status(False)"]
)
async def test_5_2_data_post_that_fails_is_logged_only(tmp_path: Path, body: str) -> None:
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with(data_post=body))) as flow:
        for _ in range(3):
            assert (await ask(port)).content == b"hi"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flow.ended(), 0.2)


@pytest.mark.parametrize("body", ["raise ValueError('x')", "return None"])
async def test_5_2_close_that_fails_is_logged_only(tmp_path: Path, body: str) -> None:
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with(close=body))):
        assert (await ask(port)).content == b"hi"


async def test_5_2_order_of_the_calls(tmp_path: Path) -> None:
    log = tmp_path / "calls.txt"
    note = "file = open({!r}, 'a'); file.write('{} '); file.close(); return modelbox.Status()"
    port = free_port()
    code = "".join(unit_with(**{name: note.format(str(log), name) for name in METHODS}))
    async with running(plan_of(tmp_path, port, code)):
        for _ in range(2):
            await ask(port)
    stream = "data_pre process data_post "
    assert log.read_text() == f"open {stream}{stream}close "


async def test_4_8_group_methods_are_never_called(tmp_path: Path) -> None:
    port = free_port()
    code = (
        unit_with()
        + "    def data_group_pre(self, ctx):\n        raise ValueError\n    data_group_post = data_group_pre\n"
    )
    async with running(plan_of(tmp_path, port, code)):
        assert (await ask(port)).content == b"hi"


async def test_units_run_and_are_imported_on_threads_of_their_own(tmp_path: Path) -> None:
    """The loop that serves HTTP never runs code of units."""
    code = "import threading\nassert threading.current_thread() is not threading.main_thread()\n" + unit_with(
        process="assert threading.current_thread() is not threading.main_thread(); return modelbox.Status()",
        open="assert threading.current_thread() is not threading.main_thread(); return modelbox.Status()",
        close="assert threading.current_thread() is not threading.main_thread(); return modelbox.Status()",
    )
    port = free_port()
    async with running(plan_of(tmp_path, port, code)):
        assert (await ask(port)).content == b"hi"


async def test_a_slow_import_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    flow_plan = plan_of(tmp_path, free_port(), "import time\ntime.sleep(0.5)\n" + unit_with())
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    async with running(flow_plan):
        ticking.cancel()
    assert ticks > 5


@pytest.mark.parametrize("value", ["1", "", "0"])
async def test_5_2_the_debug_variable_has_every_call_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    calls: list[dict[str, object]] = []
    monkeypatch.setenv("MODELBOX_DEBUG_PYTHON", value)
    debugger = ModuleType("pydevd")
    monkeypatch.setattr(debugger, "settrace", lambda **how: calls.append(how), raising=False)
    monkeypatch.setitem(sys.modules, "pydevd", debugger)
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with(**dict.fromkeys(METHODS, "return modelbox.Status()")))):
        assert (await ask(port)).content == b"hi"
    assert calls == [{"suspend": False, "trace_only_current_thread": True}] * 5


async def test_5_2_the_debug_variable_without_a_debugger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MODELBOX_DEBUG_PYTHON", "1")
    monkeypatch.setitem(sys.modules, "pydevd", None)
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with())):
        assert (await ask(port)).content == b"hi"
    assert "MODELBOX_DEBUG_PYTHON is set, but there is no debugger" in caplog.text
    assert "pip install pydevd" in caplog.text


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "Connection refused"), SystemExit(1)])
async def test_5_2_the_debug_variable_when_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def settrace(**_: object) -> None:
        raise error

    monkeypatch.setenv("MODELBOX_DEBUG_PYTHON", "1")
    debugger = ModuleType("pydevd")
    monkeypatch.setattr(debugger, "settrace", settrace, raising=False)
    monkeypatch.setitem(sys.modules, "pydevd", debugger)
    port = free_port()
    async with running(plan_of(tmp_path, port, unit_with())):
        assert (await ask(port)).content == b"hi"
    assert caplog.text.count("the debugger cannot be reached") == 1


async def test_a_unit_s_own_names_do_not_touch_the_engine(tmp_path: Path) -> None:
    """Names that the engine uses for its own units."""
    code = unit_with(
        open="self._host = self.quick = self.services = 'mine'; return modelbox.Status()",
        process="assert self.get_bind_device().get_type() == 'cpu'; return modelbox.Status()",
    )
    code += "    def __init__(self):\n        super().__init__()\n        self._host = self.quick = 'mine'\n"
    port = free_port()
    async with running(plan_of(tmp_path, port, code)):
        assert (await ask(port)).content == b"hi"
