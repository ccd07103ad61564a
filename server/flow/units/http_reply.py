"""httpserver_sync_reply: the first buffer of a session answers the request that began it (spec 7.3)."""

from collections.abc import Mapping

import msgspec

from server.flow.http.services import REPLY_KEY, Answer, Exchange
from server.flow.unitapi import Buffer, Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned

CONTENT_TYPES = {
    "htm": "text/html",
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "json": "application/json",
    "png": "image/png",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "txt": "text/plain;charset=utf-8",
    "ico": "application/octet-stream",
    "xml": "text/xml",
    "mpeg": "video/mpeg",
    "mp3": "audio/mpeg",
}


def error_answer(code: str, message: str) -> Answer:
    body = msgspec.json.encode({"error_code": code, "error_msg": message})
    return Answer(500, body, "application/json")


class HttpServerSyncReply(FlowUnit):
    quick = True

    def open(self, config: Configuration) -> Returned:
        name = config.get_string("content_type") or "txt"
        if name not in CONTENT_TYPES:
            words = f"content_type '{name}' is unknown, use one of {', '.join(CONTENT_TYPES)}"
            return Status(UnitStatusCode.STATUS_BADCONF, words)
        self._content_type = CONTENT_TYPES[name]
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        replies = data_ctx.input("in_reply_info")
        buffer = replies.front() if replies is not None else None
        if buffer is None:
            return UnitStatusCode.STATUS_SUCCESS
        try:
            exchange: Exchange = data_ctx.get_session_context().get_private(REPLY_KEY)
        except ValueError:
            words = "the session was not begun by httpserver_sync_receive, so there is nobody to reply to"
            return Status(UnitStatusCode.STATUS_NOTFOUND, words)
        if buffer.has_error():
            exchange.answer(error_answer(buffer.get_error_code(), buffer.get_error_msg()))
        else:
            exchange.answer(self._answer(buffer, exchange))
        return UnitStatusCode.STATUS_SUCCESS

    def _answer(self, buffer: Buffer, exchange: Exchange) -> Answer:
        metas = buffer._metas
        status = metas.get("status", 200)
        if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
            words = f"the meta status is {status!r}, it must be a whole number from 200 to 599"
            return error_answer("httpserver_sync_reply.BadStatus", words)
        headers = metas.get("headers")
        # a request's own headers ride along with its metas; they are no wish about the reply
        if headers is None or headers is exchange.request_headers:
            return Answer(status, buffer._data, self._content_type)
        if not isinstance(headers, Mapping):
            words = f"the meta headers is a {type(headers).__name__}, it must be a dict"
            return error_answer("httpserver_sync_reply.BadHeaders", words)
        added = {str(name): str(value) for name, value in headers.items()}
        return Answer(status, buffer._data, self._content_type, added)
