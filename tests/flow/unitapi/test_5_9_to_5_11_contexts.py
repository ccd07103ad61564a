"""Spec 5.9 DataContext, 5.10 SessionContext, DataMeta, FlowUnitEvent and FlowUnitError, 5.11 ExternalData; 5.3 for
what units make themselves. What contexts do in a running flow: tests/flow/run."""

import gc
import logging
from typing import Any

import numpy as np
import pytest

from server.flow.unitapi import (
    Buffer,
    BufferList,
    DataContext,
    DataMeta,
    Device,
    ExternalData,
    FlowUnit,
    FlowUnitError,
    FlowUnitEvent,
    SessionContext,
    Status,
    UnitStatusCode,
)

CPU = Device("cpu", "0")


class Owner:
    node_name = "node_a"
    unit_name = "unit_a"

    def __init__(self) -> None:
        self.events: list[FlowUnitEvent] = []

    def post_event(self, event: FlowUnitEvent) -> None:
        self.events.append(event)


class Source:
    def __init__(self) -> None:
        self.context = SessionContext()
        self.sent: list[str] = []
        self.closed = 0

    def send(self, buffers: list[Buffer]) -> Status:
        self.sent.extend(map(str, buffers))
        return Status()

    def close(self) -> None:
        self.closed += 1


class Host:
    device = CPU
    services = None

    def __init__(self, source: Source | None) -> None:
        self._source = source

    def open_source(self) -> Source | None:
        return self._source


def hosted(source: Source | None = None) -> FlowUnit:
    unit = FlowUnit()
    unit._attach(Host(source))
    return unit


def context(owner: Owner | None = None, **lists: list[Buffer]) -> DataContext:
    made = DataContext(SessionContext(), owner or Owner(), CPU, ("out_1",))
    made.begin({name: BufferList(buffers) for name, buffers in lists.items()})
    return made


def test_5_9_input_and_output() -> None:
    called = context(in_1=[Buffer(CPU, "a")])
    assert len(called.input("in_1") or ()) == 1
    assert called.output("out_1").size() == 0  # type: ignore[union-attr]
    assert called.output("out_1").get_device() is CPU  # type: ignore[union-attr]
    assert (called.input("other"), called.output("other")) == (None, None)


def test_5_9_external_and_event_are_none_in_an_ordinary_call() -> None:
    assert (context().external(), context().event()) == (None, None)


def test_5_9_has_error() -> None:
    bad = Buffer(CPU)
    bad.set_error("E", "e")
    assert context(in_1=[Buffer(CPU, "a")], in_2=[bad]).has_error()
    assert not context(in_1=[Buffer(CPU, "a")]).has_error()


def test_5_9_send_event() -> None:
    owner, event = Owner(), FlowUnitEvent()
    assert context(owner).send_event(event) is None  # type: ignore[func-returns-value]
    assert owner.events == [event]


def test_5_9_private_objects() -> None:
    called, value = context(), object()
    called.set_private("k", value)
    assert called.get_private("k") is value


def test_5_9_missing_private_objects() -> None:
    """Deviation: ModelBox crashes."""
    with pytest.raises(RuntimeError, match=r"invalid key\."):
        context().get_private("k")


def test_5_9_input_metas() -> None:
    called, meta = context(), DataMeta()
    called.input_streams({"in_1": meta})
    assert called.get_input_meta("in_1") is called.get_input_group_meta("in_1") is meta
    assert called.get_input_meta("other") is None


def test_5_9_the_first_output_meta_of_a_port_wins() -> None:
    called, first = context(), DataMeta()
    assert called.set_output_meta("out_1", first) is None  # type: ignore[func-returns-value]
    called.set_output_meta("out_1", DataMeta())
    assert called.output_meta_of("out_1") is first


def test_5_9_session_config_is_merged() -> None:
    called = context()
    raw = called.get_session_context().get_session_config()
    for prefix in ("nodes", "flowunit.unit_a", "node.node_a", "flowunit.other", "node.other"):
        raw.set(f"{prefix}.k", prefix)
    for prefix in ("nodes", "flowunit.unit_a"):
        raw.set(f"{prefix}.l", prefix)
    raw.set("nodes.m", "nodes")
    config = called.get_session_config()
    assert [config.get_string(key) for key in "klm"] == ["node.node_a", "flowunit.unit_a", "nodes"]
    config.set("m", "mine")
    assert called.get_session_config().get_string("m") == "nodes"


def test_5_9_session_context() -> None:
    called = context()
    assert called.get_session_context() is called.get_session_context()


@pytest.mark.parametrize("name", ["get_error", "has_private_string", "has_private_int", "has_private"])
def test_5_9_what_there_is_not(name: str) -> None:
    assert not hasattr(context(), name)


@pytest.mark.parametrize(
    "made", [context(), SessionContext(), DataMeta(), FlowUnitEvent()], ids=lambda m: type(m).__name__
)
class TestPrivateValues:
    """5.9 and 5.10: `set_private_int` and the like, which four classes have."""

    def test_int(self, made: Any) -> None:
        made.set_private_int("i", 2**40)
        assert made.get_private_int("i") == 2**40
        made.set_private_int("i", np.int64(3))
        assert made.get_private_int("i") == 3

    def test_string(self, made: Any) -> None:
        made.set_private_string("s", "text")
        assert made.get_private_string("s") == "text"

    @pytest.mark.parametrize("read", ["get_private_int", "get_private_string"])
    def test_missing(self, made: Any, read: str) -> None:
        with pytest.raises(RuntimeError, match=r"^invalid key\.$"):
            getattr(made, read)("missing")

    def test_the_other_family(self, made: Any) -> None:
        """ModelBox reads the memory as if it were of the other type."""
        made.set_private_int("i", 1)
        made.set_private_string("s", "1")
        with pytest.raises(RuntimeError, match=r"invalid key\."):
            made.get_private_string("i")
        with pytest.raises(RuntimeError, match=r"invalid key\."):
            made.get_private_int("s")

    @pytest.mark.parametrize(
        ("write", "wrong"), [("set_private_int", "1"), ("set_private_int", 1.5), ("set_private_string", 1)]
    )
    def test_values_of_the_wrong_type(self, made: Any, write: str, wrong: object) -> None:
        with pytest.raises(TypeError):
            getattr(made, write)("k", wrong)


def test_5_10_session_private_objects() -> None:
    session, value = SessionContext(), [1]
    session.set_private("k", value)
    assert session.get_private("k") == [1]
    with pytest.raises(ValueError, match=r"^invalid data type missing$"):
        session.get_private("missing")


def test_5_10_session_config_is_raw_and_writable() -> None:
    session = SessionContext()
    session.get_session_config().set("nodes.k", "v")
    assert session.get_session_config().get_string("nodes.k") == "v"


def test_5_10_session_ids_differ() -> None:
    one, two = SessionContext(), SessionContext()
    assert one.get_session_id() == one.get_session_id() != two.get_session_id()
    assert len(one.get_session_id()) == 36


def test_5_10_flow_unit_error() -> None:
    assert FlowUnitError("what").get_description() == "what"
    status = Status(UnitStatusCode.STATUS_FAULT, "why")
    description = FlowUnitError("node", "process", status).get_description()
    assert all(part in description for part in ("node", "process", "why"))


def test_5_11_external_data() -> None:
    source = Source()
    external = hosted(source).create_external_data()
    assert external is not None
    buffers = external.create_buffer_list()
    buffers.push_back("a")
    assert external.send(buffers)
    assert source.sent == ["a"]
    assert external.get_session_context() is source.context
    external.get_session_config().set("nodes.k", "v")
    assert source.context.get_session_config().get_string("nodes.k") == "v"
    assert external.close()
    assert external.close()


def test_5_11_dropping_it_closes_it() -> None:
    source = Source()
    external: ExternalData | None = hosted(source).create_external_data()
    assert external is not None
    assert source.closed == 0
    del external
    gc.collect()
    assert source.closed == 1


def test_5_3_external_data_of_a_unit_with_inputs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert hosted(None).create_external_data() is None
    assert "only a unit without inputs" in caplog.text


def test_5_3_get_bind_device() -> None:
    assert hosted().get_bind_device() is CPU


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), np.array([97, 98], np.uint8), memoryview(b"ab")])
def test_5_3_create_buffer(data: Any) -> None:
    assert str(hosted().create_buffer(data)) == "ab"


@pytest.mark.parametrize("data", ["text", 5, None])
def test_5_3_create_buffer_of_anything_else(data: object) -> None:
    """Of text too, though ModelBox's documents show it."""
    with pytest.raises(TypeError):
        hosted().create_buffer(data)


def test_5_3_create_buffer_that_fails() -> None:
    with pytest.raises(RuntimeError, match="can not accept empty numpy"):
        hosted().create_buffer(np.array(1))


@pytest.mark.parametrize("name", ["open", "process", "data_pre", "data_post", "data_group_pre", "data_group_post"])
def test_5_3_methods_to_override(name: str) -> None:
    assert getattr(FlowUnit(), name)(None) == UnitStatusCode.STATUS_SUCCESS
    assert FlowUnit().close() == UnitStatusCode.STATUS_SUCCESS
