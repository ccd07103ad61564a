"""`GET /v1/modelbox/tokens`: who has been given access."""

from datetime import UTC, datetime

from sanic import Request

from server.api.endpoint import Endpoint
from server.api.rights import Right, Scoped
from server.store.tokens import TokenReader
from server.wire.tokens import TokenRow, Tokens


async def list_tokens(request: Request) -> Tokens:
    """All tokens that were ever made, without what is secret.

    They are made and revoked by `modelbox-server token`, on the machine that has the database.
    """
    reader: TokenReader = request.app.ctx.token_reader
    now = datetime.now(UTC)
    return Tokens([TokenRow.of(token, now) for token in await reader.read_all()])


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/modelbox/tokens",
        handler=list_tokens,
        tag="access",
        errors=(503,),
        right=Right.ADMIN,
        scoped=Scoped.CLOSED,
    ),
)
