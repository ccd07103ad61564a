"""Spec 4.1: the parts of a buffer on its way through a flow. What a buffer does by itself: unitapi/test_5_7."""

import numpy as np

from server.flow.unitapi import Buffer, DataContext, UnitStatusCode
from tests.flow.run.programs import SUCCESS, line, passes, push, results, running, sent, stream_of, texts, unit


def test_4_1_data_may_be_absent() -> None:
    sizes: list[int] = []

    def process(context: DataContext) -> UnitStatusCode:
        buffers = context.input("in_1")
        assert buffers is not None
        sizes.extend(buffer.get_bytes() for buffer in buffers)
        return passes(context)

    with running(line("u"), unit("u", process)) as flow:
        io = sent(flow, "abc", "", Buffer(None))
        found = [io.recv("out", 5000) for _ in range(3)]
    assert sizes == [3, 0, 0]
    assert [each.as_bytes() for each in found if each is not None] == [b"abc", b"", b""]


def test_4_1_meta_values_keep_their_types() -> None:
    values: dict[str, object] = {
        "int": 1,
        "float": 0.5,
        "bool": True,
        "text": "t",
        "list": [1, 2],
        "dict": {"a": 1},
    }

    def process(context: DataContext) -> UnitStatusCode:
        for buffer in context.input("in_1") or ():
            for key, value in values.items():
                buffer.set(key, value)
            push(context, buffer)
        return SUCCESS

    with running(line("set", "pass"), unit("set", process), unit("pass", passes, normal=True)) as flow:
        buffer = sent(flow, "x").recv("out", 5000)
        assert buffer is not None
    found = {key: buffer.get(key) for key in values}
    assert found == values
    assert [type(each) for each in found.values()] == [type(each) for each in values.values()]


def test_4_1_kind_is_copied_with_the_buffer() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        io = sent(flow, "text", b"text", np.arange(2, dtype=np.float32))
        found = [io.recv("out", 5000) for _ in range(3)]
    objects = [each.as_object() for each in found if each is not None]
    assert objects[0] == "text"
    assert [each.dtype for each in objects[1:] if isinstance(each, np.ndarray)] == [np.uint8, np.float32]


def test_4_1_error_drops_the_data() -> None:
    def process(context: DataContext) -> UnitStatusCode:
        buffer = Buffer(None, texts(context)[0])
        buffer.set("key", 1)
        buffer.set_error("Code", "message")
        return push(context, buffer)

    with running(line("u"), unit("u", process)) as flow:
        buffer = sent(flow, "abc").recv("out", 5000)
        assert buffer is not None
    assert (buffer.has_error(), buffer.get_error_code(), buffer.get_error_msg()) == (True, "Code", "message")
    assert (buffer.get_bytes(), buffer.get("key")) == (0, 1)


def test_4_1_index_info_a_copied_buffer_gets_a_place_of_its_own() -> None:
    kept: list[Buffer] = []

    def backwards(context: DataContext) -> UnitStatusCode:
        kept.extend(context.input("in_1") or ())
        return push(context, *reversed(kept)) if len(kept) == 3 else SUCCESS

    units = [unit("turn", backwards), unit("see", passes)]
    assert results(line("turn", "see"), units, *"abc") == ["c", "b", "a"]


def test_4_1_nodes_that_read_one_output_get_shallow_copies() -> None:
    arrays: list[object] = []

    def process(context: DataContext) -> UnitStatusCode:
        (buffer,) = context.input("in_1") or ()
        assert "seen" not in buffer._metas
        buffer.set("seen", True)
        arrays.append(np.asarray(buffer))
        return push(context, buffer)

    names = ("a", "b", "c")
    dot = "in[type=input];" + "".join(
        f"{name}[flowunit={name}, device=cpu]; o{name}[type=output]; in -> {name}:in_1; {name}:out_1 -> o{name};"
        for name in names
    )
    with running(dot, *(unit(name, process) for name in names)) as flow:
        io = stream_of(flow)
        io.send("in", np.arange(4))
        assert all(io.recv(f"o{name}", 5000) is not None for name in names)
    assert all(np.shares_memory(arrays[0], each) for each in arrays[1:])  # type: ignore[arg-type]
