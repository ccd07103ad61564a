"""Who sends a request, and what they may see and do."""

import msgspec
from sanic import Request

from server.api.request_spans import request_id_of
from server.jobs.access import EVERYTHING, Labels, Role, Token
from server.jobs.commands import Context
from server.jobs.condition import NO_CONDITION
from server.jobs.once import Once


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is "" for who has shown neither token nor certificate. A job exists for them if it has the labels in
    `scope`."""

    address: str
    role: Role
    name: str = ""
    token: Token | None = None
    scope: Labels = EVERYTHING

    @property
    def actor(self) -> str:
        """As it stands in events."""
        return f"{self.name}@{self.address}" if self.name else f"rest:{self.address}"

    @property
    def principal(self) -> str:
        """The same from whatever address, and another for a token that was made anew under an old name."""
        return f"token:{self.token.id}" if self.token is not None else self.name


def token_visitor(address: str, token: Token) -> Visitor:
    return Visitor(address=address, role=token.role, name=f"token:{token.name}", token=token, scope=token.scope)


def visitor_of(request: Request) -> Visitor:
    """Whom the gate has let in."""
    visitor: Visitor = request.ctx.visitor
    return visitor


def context_of(request: Request) -> Context:
    """For the commands that the request gives."""
    visitor = visitor_of(request)
    once: Once | None = getattr(request.ctx, "once", None)
    return Context(
        actor=visitor.actor,
        request_id=request_id_of(request),
        idempotency_key=None if once is None else once.key,
        scope=visitor.scope,
        condition=getattr(request.ctx, "condition", NO_CONDITION),
        once=once,
    )
