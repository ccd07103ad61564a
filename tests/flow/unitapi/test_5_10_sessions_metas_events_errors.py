"""Spec 5.10: SessionContext, DataMeta, FlowUnitEvent, FlowUnitError; 5.9 for the private ints of DataContext."""

from typing import Any

import numpy as np
import pytest

from server.flow.unitapi import DataMeta, FlowUnitError, FlowUnitEvent, SessionContext, Status, UnitStatusCode
from tests.flow.unitapi.fakes import context


@pytest.mark.parametrize(
    "made", [context(), SessionContext(), DataMeta(), FlowUnitEvent()], ids=lambda m: type(m).__name__
)
class Test59And510PrivateIntAndString:
    """`set_private_int` and the like, which four classes have; three of them a program can make."""

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


@pytest.mark.parametrize("value", [1.5, "text", True, 7, [1.5], [[1, 2], [3]], {"a": 1}, (1, 2), None, []])
def test_5_10_session_private_objects(value: object) -> None:
    session = SessionContext()
    session.set_private("k", value)
    assert session.get_private("k") == value
    assert type(session.get_private("k")) is type(value)


def test_5_10_session_private_objects_are_kept_as_metas_are() -> None:
    session, by_reference, numbers = SessionContext(), object(), [1, 2]
    session.set_private("object", by_reference)
    session.set_private("list", numbers)
    session.set_private("array", np.zeros((2, 3)))
    numbers.append(3)
    assert session.get_private("object") is by_reference
    assert session.get_private("list") == [1, 2]
    assert session.get_private("array").shape == (2, 3)


def test_5_10_a_session_private_object_that_is_missing() -> None:
    with pytest.raises(ValueError, match=r"^invalid data type missing$"):
        SessionContext().get_private("missing")


def test_5_10_session_config_is_raw_and_writable() -> None:
    session = SessionContext()
    session.get_session_config().set("nodes.k", "v")
    assert session.get_session_config().get_string("nodes.k") == "v"


def test_5_10_session_ids_differ() -> None:
    one, two = SessionContext(), SessionContext()
    assert one.get_session_id() == one.get_session_id() != two.get_session_id()
    assert len(one.get_session_id()) == 36


def test_5_10_flow_unit_error_of_a_description() -> None:
    assert FlowUnitError("what").get_description() == "what"


def test_5_10_flow_unit_error_of_a_node_a_position_and_a_status() -> None:
    status = Status(UnitStatusCode.STATUS_FAULT, "why")
    description = FlowUnitError("node", "process", status).get_description()
    assert all(part in description for part in ("node", "process", "why"))
