"""Spec 5.9: DataContext. What contexts do in a running flow: tests/flow/run, spec 4.3 to 4.9."""

import pytest

from server.flow.unitapi import Buffer, BufferList, DataMeta, FlowUnitEvent
from tests.flow.unitapi.fakes import CPU, Owner, context


def test_5_9_input_and_output() -> None:
    called = context(in_1=[Buffer(CPU, "a")])
    assert len(called.input("in_1") or ()) == 1
    assert called.output("out_1").size() == 0  # type: ignore[union-attr]
    assert called.output("out_1").get_device() is CPU  # type: ignore[union-attr]
    assert (called.input("other"), called.output("other")) == (None, None)


def test_5_9_external_is_a_list_for_source_units_only() -> None:
    called, external = context(), BufferList(CPU)
    assert called.external() is None
    called.begin({}, external=external)
    assert called.external() is external


def test_5_9_event_is_there_in_the_call_for_it_only() -> None:
    called, event = context(), FlowUnitEvent()
    assert called.event() is None
    called.begin({}, event=event)
    assert called.event() is event
    called.begin({})
    assert called.event() is None


def test_5_9_has_error() -> None:
    bad = Buffer(CPU)
    bad.set_error("E", "e")
    assert context(in_1=[Buffer(CPU, "a")], in_2=[bad]).has_error()
    assert not context(in_1=[Buffer(CPU, "a")]).has_error()


def test_5_9_has_error_is_about_the_current_call() -> None:
    bad = Buffer(CPU)
    bad.set_error("E", "e")
    called = context(in_1=[bad])
    called.begin({"in_1": BufferList([Buffer(CPU, "a")])})
    assert not called.has_error()


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
