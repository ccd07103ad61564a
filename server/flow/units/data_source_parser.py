"""data_source_parser: from the description of a source to its address (spec 7.4).

The sources that need an account of a cloud (obs, vcn, vcn_restful, vis) are not here.
"""

import http.client
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from server.flow import values
from server.flow.unitapi import Configuration, DataContext, DataMeta, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned
from server.flow.units.http_call import call

RESPONSE_KEY = "data_source_parser.restful_source_parser.response"
REQUEST_SECONDS = 30.0
FILE, STREAM = "file", "stream"
_LIMITS = {FILE: 10, STREAM: -1}
INTERVAL_MS = 1000
log = logging.getLogger("server.flow")


@dataclass(frozen=True)
class SourceContext:
    """The stream meta `source_context`: how whoever opens the address should try again.

    `count_limit` -1: without end. `stream_type` is "file" or "stream".
    """

    source_type: str
    stream_type: str
    retry_enabled: bool
    interval_ms: int
    count_limit: int


class DataSourceParser(FlowUnit):
    """`process` may wait for a web server: it runs on a worker thread."""

    def open(self, config: Configuration) -> Returned:
        self._config = config
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        buffers, out = data_ctx.input("in_data"), data_ctx.output("out_video_url")
        assert buffers is not None
        assert out is not None
        if len(buffers) != 1:
            return Status(UnitStatusCode.STATUS_FAULT, f"{len(buffers)} buffers in one call, one is expected")
        buffer = buffers.front()
        assert buffer is not None
        kind = buffer._metas.get("source_type")
        if kind not in ("url", "restful"):
            words = f"the meta source_type is {kind!r}, sources that can be parsed are url and restful"
            return Status(UnitStatusCode.STATUS_FAULT, words)
        try:
            address, stream_type = self._parse(kind, buffer.as_bytes(), data_ctx)
        except (ValueError, OSError, http.client.HTTPException) as error:
            # the stream goes on with an empty address, as whoever opens it has the say about what then
            log.warning("data_source_parser: %s source: %s: %s", kind, type(error).__name__, error)
            address, stream_type = "", STREAM
        meta = DataMeta()
        meta.set_private_string("source_url", address)
        meta._values["source_context"] = source_context(self._config, kind, stream_type)
        data_ctx.set_output_meta("out_video_url", meta)
        out.push_back(b"\0")
        return UnitStatusCode.STATUS_SUCCESS

    def _parse(self, kind: str, text: bytes, data_ctx: DataContext) -> tuple[str, str]:
        """The address, and "file" or "stream"."""
        try:
            source = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"the input is no JSON: {error}") from None
        if not isinstance(source, dict):
            raise ValueError("the input is no JSON object")
        if kind == "url":
            return _text(source, "url"), FILE if source.get("url_type") == FILE else STREAM
        status, answer = _ask(source)
        data_ctx.get_session_context().set_private_string(RESPONSE_KEY, answer.decode("utf-8", "replace"))
        if not 200 <= status < 300:
            raise ValueError(f"{source['request_url']} answered with status {status}")
        return at_position(answer, _text(source, "response_url_position")), STREAM


def source_context(config: Configuration, kind: str, stream_type: str) -> SourceContext:
    """The most special option that is set counts: url_file_retry_count_limit, url_retry_count_limit,
    retry_count_limit, the default."""
    prefixes = [f"{kind}_", ""]
    if kind == "url":
        prefixes.insert(0, f"url_{stream_type}_")

    def number(name: str, default: int) -> int:
        for prefix in prefixes:
            found = values.parse_int(config.get_string(prefix + name))
            if found is not None:
                return found
        return default

    enabled = next(
        (
            found
            for p in prefixes
            if (found := values.parse_bool(config.get_string(f"{p}retry_enable"))) is not None
        ),
        True,
    )
    return SourceContext(
        source_type=kind,
        stream_type=stream_type,
        retry_enabled=enabled,
        interval_ms=number("retry_interval_ms", INTERVAL_MS),
        count_limit=number("retry_count_limit", _LIMITS[stream_type]),
    )


def at_position(answer: bytes, position: str) -> str:
    """The text at `position`, which is the keys on the way to it: "data/urls/0". Numbers index arrays.

    Raises: ValueError, when there is no text.
    """
    try:
        found: Any = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the answer is no JSON: {error}") from None
    for step in position.strip("/").split("/"):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise ValueError(f"the answer has nothing at response_url_position '{position}', step '{step}'")
    if not isinstance(found, str):
        raise ValueError(f"the answer has a {type(found).__name__} at response_url_position '{position}', no text")
    return found


def _ask(source: dict[str, Any]) -> tuple[int, bytes]:
    """Certificates are not verified, as in ModelBox."""
    url = _text(source, "request_url")
    params, headers = source.get("params") or [], source.get("headers") or {}
    try:
        pairs = [(str(each["param_key"]), str(each["param_value"])) for each in params]
        sent = {str(name): str(value) for name, value in headers.items()}
    except (TypeError, KeyError, AttributeError) as error:
        words = "params is a list of objects with param_key and param_value, headers an object"
        raise ValueError(f"{words}: {error}") from None
    if pairs:
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"
    return call("GET", url, sent, seconds=REQUEST_SECONDS, verify=False)


def _text(source: dict[str, Any], key: str) -> str:
    value = source.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"the key '{key}' is missing or is no text")
    return value
