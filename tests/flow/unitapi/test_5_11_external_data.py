"""Spec 5.11: ExternalData. What becomes of what it sends: tests/flow/run."""

import gc

from server.flow.unitapi import ExternalData
from tests.flow.unitapi.fakes import CPU, Source, external_of


def test_5_11_create_buffer_list() -> None:
    buffers = external_of(Source()).create_buffer_list()
    assert (len(buffers), buffers.get_device()) == (0, CPU)


def test_5_11_send() -> None:
    source = Source()
    external = external_of(source)
    buffers = external.create_buffer_list()
    buffers.push_back("a")
    assert external.send(buffers)
    assert source.sent == ["a"]


def test_5_11_get_session_context() -> None:
    source = Source()
    assert external_of(source).get_session_context() is source.context


def test_5_11_get_session_config_is_raw() -> None:
    source = Source()
    external_of(source).get_session_config().set("nodes.k", "v")
    assert source.context.get_session_config().get_string("nodes.k") == "v"


def test_5_11_close_again_does_no_harm() -> None:
    external = external_of(Source())
    assert external.close()
    assert external.close()


def test_5_11_dropping_it_closes_it() -> None:
    source = Source()
    external: ExternalData | None = external_of(source)
    assert source.closed == 0
    del external
    gc.collect()
    assert source.closed == 1
