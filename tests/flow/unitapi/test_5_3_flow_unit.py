"""Spec 5.3: FlowUnit, what it calls and what is called of it. The calls in a flow: 5.2."""

import logging
from typing import Any

import numpy as np
import pytest

from server.flow.unitapi import Buffer, FlowUnit, UnitStatusCode
from tests.flow.unitapi.fakes import CPU, Source, hosted


def test_5_3_external_data_of_a_source() -> None:
    assert hosted(Source()).create_external_data() is not None


def test_5_3_external_data_of_a_unit_with_inputs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert hosted(None).create_external_data() is None
    assert "only a unit without inputs" in caplog.text


def test_5_3_get_bind_device() -> None:
    assert hosted().get_bind_device() is CPU


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), np.array([97, 98], np.uint8), memoryview(b"ab")])
def test_5_3_create_buffer(data: Any) -> None:
    buffer = hosted().create_buffer(data)
    assert type(buffer) is Buffer
    assert str(buffer) == "ab"


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


def test_5_3_close() -> None:
    assert FlowUnit().close() == UnitStatusCode.STATUS_SUCCESS
