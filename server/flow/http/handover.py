"""Gives a connection, with the request that has just arrived on it, to the process that it is for."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from socket import socket

from sanic.http import Http

from server.flow.http.app import finish, protocol_of


async def detach(stream: Http, head: bytes, hand_over: Callable[[socket, bytes], Awaitable[None]]) -> bool:
    """Hands the connection over and forgets it.

    The other process gets the request as it came: nothing of its body has been read, no 100 has been sent.
    Returns False when the other one does not take it; the connection is then as it was before.
    """
    protocol = protocol_of(stream)
    transport = protocol.pipe
    transport.pause_reading()
    while transport.get_write_buffer_size():  # noqa: ASYNC110
        await asyncio.sleep(0)  # the answers to earlier requests on this connection leave first
    twin = socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    # for a chunked body Sanic leaves one CRLF of the head in its buffer
    is_chunked = stream.request_body == "chunked"  # type: ignore[comparison-overlap]
    separator = b"\r\n" if is_chunked else b"\r\n\r\n"
    try:
        await hand_over(twin, head + separator + bytes(stream.recv_buffer))
    except OSError:
        twin.close()
        transport.resume_reading()
        return False
    stream.keep_alive = False
    stream.request_body = None
    stream.expecting_continue = False
    finish(stream)
    transport.abort()  # closes our descriptor only: the connection lives on in the other's
    return True
