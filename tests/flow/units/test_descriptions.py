"""What descriptions promise is what the code does: classes, ports, defaults of options."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from server.flow.description import UnitDescription
from server.flow.http import options
from server.flow.http.services import HttpService, Services
from server.flow.run.source import SourceNode
from server.flow.unitapi import Configuration, FlowUnit, UnitStatusCode
from server.flow.units import BUILTIN
from server.flow.units.base64_decoder import Base64Decoder
from server.flow.units.broker_sender import RetryPolicy
from server.flow.units.data_source_parser import source_context
from server.flow.units.http_receive import HttpServerAsync, HttpServerSyncReceive
from server.flow.units.http_reply import CONTENT_TYPES, HttpServerSyncReply
from server.flow.units.output_broker import OutputBroker
from tests.flow.units.support import builtin

EACH = pytest.mark.parametrize("unit", BUILTIN, ids=lambda unit: unit.name)


def defaults(name: str) -> dict[str, str]:
    return {option.name: option.default for option in builtin(name).options}


def class_of(unit: UnitDescription) -> type[FlowUnit]:
    module, _, name = unit.entry.partition(":")
    found: type[FlowUnit] = getattr(import_module(module), name)
    return found


@EACH
def test_a_description_leads_to_a_unit_and_says_what_it_is_for(unit: UnitDescription) -> None:
    assert issubclass(class_of(unit), FlowUnit)
    assert unit.group
    assert unit.description.endswith(".")
    assert all(option.description.endswith((".", ",", ":")) for option in unit.options)
    assert len({option.name for option in unit.options}) == len(unit.options)


@EACH
def test_every_port_and_option_is_named_in_the_code(unit: UnitDescription) -> None:
    code = inspect.getsource(sys.modules[class_of(unit).__module__])
    for module in ("server.flow.http.options", "server.flow.http.tls"):
        code += inspect.getsource(import_module(module))
    assert all(f'"{port}"' in code for port in (*unit.inputs, *unit.outputs))
    plain = [option for option in unit.options if "retry_" not in option.name and option.name != "key_pass"]
    assert all(f'"{option.name}"' in code for option in plain)


@pytest.mark.parametrize(
    ("name", "kind"), [("httpserver_sync_receive", HttpServerSyncReceive), ("httpserver_async", HttpServerAsync)]
)
def test_defaults_of_the_receive_units(name: str, kind: type[FlowUnit]) -> None:
    served: list[HttpService] = []
    node = SourceNode.__new__(SourceNode)
    node.services = Services(serve=served.append)
    unit = kind()
    unit._host = node
    assert unit.open(Configuration({})) is UnitStatusCode.STATUS_SUCCESS
    assert unit.open(Configuration(defaults(name))) is UnitStatusCode.STATUS_SUCCESS
    without, with_defaults = served
    assert without == with_defaults
    described = defaults(name)
    assert without.endpoint_text == described["endpoint"] == options.DEFAULT_ENDPOINT
    assert str(without.max_requests) == described["max_requests"]
    assert str(without.keepalive_seconds) == described["keepalive_timeout_sec"]
    assert str(without.time_out_ms) == described.get("time_out_ms", "5000")


@pytest.mark.parametrize(
    ("given", "milliseconds"),
    [({"time_out": "7"}, 7), ({"time_out_ms": "8"}, 8), ({"time_out": "7", "time_out_ms": "8"}, 8)],
)
def test_time_out_is_another_name_of_time_out_ms_which_wins(given: dict[str, str], milliseconds: int) -> None:
    served: list[HttpService] = []
    unit = HttpServerSyncReceive()
    unit._host = SourceNode.__new__(SourceNode)
    unit._host.services = Services(serve=served.append)
    unit.open(Configuration(given))
    assert served[0].time_out_ms == milliseconds


def test_defaults_of_the_reply_unit() -> None:
    unit = HttpServerSyncReply()
    unit.open(Configuration({}))
    assert unit._content_type == CONTENT_TYPES[defaults("httpserver_sync_reply")["content_type"]]
    described = builtin("httpserver_sync_reply").options[0].description
    assert all(name in described for name in CONTENT_TYPES)


@pytest.mark.parametrize(("name", "kind"), [("base64_decoder", Base64Decoder), ("output_broker", OutputBroker)])
def test_defaults_of_the_data_units(name: str, kind: type[FlowUnit]) -> None:
    states: list[dict[str, object]] = []
    for given in ({}, defaults(name)):
        unit = kind()
        assert unit.open(Configuration(given)) is UnitStatusCode.STATUS_SUCCESS
        of_interest = (str, int, RetryPolicy)
        states.append({key: value for key, value in vars(unit).items() if isinstance(value, of_interest)})
    assert states[0] == states[1] != {}


@pytest.mark.parametrize(("kind", "stream_type"), [("url", "file"), ("url", "stream"), ("restful", "stream")])
def test_defaults_of_data_source_parser(kind: str, stream_type: str) -> None:
    described = Configuration({name: value for name, value in defaults("data_source_parser").items() if value})
    assert source_context(described, kind, stream_type) == source_context(Configuration({}), kind, stream_type)


def test_to_know_the_units_loads_none_of_their_code() -> None:
    heavy = "[name for name in sys.modules if name in ('sanic', 'numpy', 'ssl', 'http.client')]"
    code = f"import server.flow.units, sys; print({heavy})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
