"""Who comes in, and to what: the one place in which requests are let through or refused."""

from collections.abc import Coroutine
from typing import Any

from sanic import Request

from server.api.certificates import gives_roles, names_in, role_of, shown_name
from server.api.needs import Asked, Needs
from server.api.rights import Scoped
from server.api.tokens import TokenList
from server.api.visible import VisibleJobs
from server.api.visitor import Visitor, token_visitor
from server.config import Config
from server.jobs.access import Role, scope_text
from server.jobs.errors import NoSuchJob, NotAllowed, NotAuthenticated

BEARER = "bearer"
HOW = "send one as `Authorization: Bearer TOKEN`; `modelbox-server token create` makes them"


class Gate:
    """`admit` is Sanic middleware: puts the Visitor into `request.ctx.visitor`, or raises what the answer is then:
    NotAuthenticated, NotAllowed, NoSuchJob, StoreUnavailable. `leave` has to follow, once all is done."""

    def __init__(self, config: Config, needs: Needs, tokens: TokenList, visible: VisibleJobs) -> None:
        """`config.access.tokens` has been decided: it is required or open."""
        self._inside: set[Request] = set()
        self._roles = config.tls.roles
        self._needs = needs
        self._tokens = tokens
        self._visible = visible
        self._has_tls = bool(config.tls.cert)
        # a role for some certificates would say nothing if everybody else were let in without
        self.is_required = config.access.tokens == "required" or gives_roles(config.tls.roles)

    def admit(self, request: Request) -> Coroutine[Any, Any, None] | None:
        if "authorization" in request.headers or self.is_required or self._has_tls:
            return self._check(request)
        request.ctx.visitor = Visitor(address=request.ip, role=Role.ADMIN)
        return None

    def leave(self, request: Request) -> None:
        self._inside.discard(request)

    def look(self) -> None:
        """Cuts off those who are inside, and have been for long perhaps, with a token that does not count any
        more."""
        for request in list(self._inside):
            token = request.ctx.visitor.token
            if token is not None and not self._tokens.lets_in(token) and request.stream is not None:
                protocol: Any = request.stream.protocol
                protocol.abort()

    async def _check(self, request: Request) -> None:
        asked = self._needs.of(request)
        needed = asked.need.right.role
        if needed is None:
            request.ctx.visitor = Visitor(address=request.ip, role=Role.READ)
            return
        visitor = request.ctx.visitor = await self._visitor(request)
        if visitor.token is not None:
            self._inside.add(request)
        if not visitor.role.includes(needed):
            raise NotAllowed(f"{visitor.name} has the role {visitor.role}; this needs {needed}")
        if visitor.scope:
            await self._check_scope(visitor, asked)

    async def _visitor(self, request: Request) -> Visitor:
        text = _bearer(request)
        if text is not None:
            return token_visitor(request.ip, await self._tokens.find(text))
        names = names_in(request)
        name = f"cert:{shown_name(names[0])}" if names else ""
        role = role_of(names, self._roles)
        if role is not None:
            return Visitor(address=request.ip, role=role, name=name)
        if not self.is_required:
            return Visitor(address=request.ip, role=Role.ADMIN, name=name)
        if names:
            raise NotAuthenticated(f"{name} has no role in tls.roles; without one, a token is needed: {HOW}")
        raise NotAuthenticated(f"a token is needed: {HOW}")

    async def _check_scope(self, visitor: Visitor, asked: Asked) -> None:
        match asked.need.scoped:
            case Scoped.CLOSED:
                raise NotAllowed(
                    f"this is about all jobs, and {visitor.name} is for those with the labels"
                    f" {scope_text(visitor.scope)} only"
                )
            case Scoped.JOB:
                if asked.job_id is None or not await self._visible.is_visible(asked.job_id, visitor.scope):
                    raise NoSuchJob


def _bearer(request: Request) -> str | None:
    """The token that was sent; None without one. Other schemes are not for us, but for a proxy in front."""
    given = request.headers.getall("authorization", ())
    tokens = [
        text.strip()
        for scheme, _, text in (line.strip().partition(" ") for line in given)
        if scheme.lower() == BEARER
    ]
    if len(tokens) > 1:
        raise NotAuthenticated("more than one token was sent", ', error="invalid_request"')
    return tokens[0] if tokens else None
