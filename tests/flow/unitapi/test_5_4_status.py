"""Spec 5.4: Status and StatusCode."""

import pytest

from server.flow import status as flow_status
from server.flow.unitapi import Status
from server.flow.unitapi import UnitStatusCode as Code

FAULT = Code.STATUS_FAULT


@pytest.mark.parametrize(
    ("made", "code", "message"),
    [
        pytest.param(Status(), Code.STATUS_SUCCESS, "", id="Status()"),
        pytest.param(Status(FAULT), FAULT, "", id="Status(StatusCode)"),
        pytest.param(Status(True), Code.STATUS_SUCCESS, "", id="Status(True)"),
        pytest.param(Status(False), FAULT, "", id="Status(False)"),
        pytest.param(Status(Code.STATUS_BUSY, "why"), Code.STATUS_BUSY, "why", id="Status(StatusCode, str)"),
        pytest.param(Status(Status(FAULT, "in"), "out"), FAULT, "out", id="Status(Status, str)"),
        pytest.param(Status(Status(FAULT, "in")), FAULT, "in", id="Status(Status)"),
    ],
)
def test_5_4_constructors(made: Status, code: Code, message: str) -> None:
    assert (made.code(), made.errormsg()) == (code, message)


@pytest.mark.parametrize("wrong", ["text", None, 99, 1.5])
def test_5_4_constructor_of_anything_else(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Status(wrong)  # type: ignore[call-overload]


def test_5_4_str_code() -> None:
    assert Status(Code.STATUS_NOTFOUND).str_code() == "Not found"


def test_5_4_set_errormsg() -> None:
    status = Status(FAULT)
    status.set_errormsg("new")
    assert (status.errormsg(), str(status)) == ("new", "code: Fault, errmsg: new")


def test_5_4_wrap_errormsgs_and_unwrap() -> None:
    inner = Status(Code.STATUS_BADCONF, "inner")
    outer = Status(inner, "outer")
    assert outer.wrap_errormsgs() == "Bad config, outer -> inner"
    assert outer.unwrap() is inner
    assert inner.unwrap() is None
    assert inner.wrap_errormsgs() == "Bad config, inner"
    assert Status(FAULT).wrap_errormsgs() == "Fault"


@pytest.mark.parametrize(
    ("status", "text"),
    [(Status(), "Success"), (Status(FAULT), "Fault"), (Status(FAULT, "text"), "code: Fault, errmsg: text")],
)
def test_5_4_str(status: Status, text: str) -> None:
    assert str(status) == text


def test_5_4_repr_tells_what_it_is() -> None:
    assert repr(Status(Status(FAULT, "in"), "out")) == "<Status Fault, out -> in>"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(Status(), True), (Status(FAULT), False), (Status(Code.STATUS_CONTINUE), False), (Status(True), True)],
)
def test_5_4_bool(status: Status, expected: bool) -> None:
    assert bool(status) is expected


def test_5_4_equality_with_status_code_and_bool() -> None:
    assert Status(FAULT, "a") == Status(FAULT, "b")
    assert Status(FAULT) != Status()
    assert Status(FAULT) == FAULT
    assert Status(FAULT) != Code.STATUS_SUCCESS
    assert (Status(FAULT) == False, Status() == True) == (True, True)  # noqa: E712


def test_5_4_status_code_is_nested_and_arithmetic() -> None:
    assert Status.StatusCode is Code
    assert int(Status.StatusCode.STATUS_EOF) == 26
    assert Status.StatusCode.STATUS_FAULT < Status.StatusCode.STATUS_NOTFOUND
    assert str(Code.STATUS_FAULT) == "StatusCode.STATUS_FAULT"


@pytest.mark.parametrize("code", list(Code))
def test_4_10_numbers_and_texts(code: Code) -> None:
    known = flow_status.StatusCode(int(code))  # type: ignore[call-arg]
    assert code.name == f"STATUS_{known.name}"
    assert Status(code).str_code() == known.text


@pytest.mark.parametrize("name", ["STATUS_NOENT", "STATUS_DEADLOCK", "STATUS_NORESPONSE", "STATUS_IO"])
def test_4_10_codes_that_are_not_in_python(name: str) -> None:
    assert [int(code) for code in Code] == list(range(27))
    assert not hasattr(Code, name)
