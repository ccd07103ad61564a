"""The Sanic application: routes, and what an exception becomes on the wire."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler

from server.api import acl, endpoints, jobs
from server.api.answers import error_answer, job_error_answer
from server.api.commands import JobCommands
from server.api.events import MOST_SECONDS
from server.api.feed import Feed
from server.api.full_status import FullStatuses
from server.api.gate import Gate
from server.api.job_graph import JobGraphs
from server.api.job_index import JobIndex
from server.api.log_places import LogPlaces
from server.api.log_stream import READERS, Pacer
from server.api.once import OnceOnly
from server.api.request_counts import CountingApp, RequestCounts
from server.api.scrape import Scrape
from server.api.view import JobsView
from server.api.visible import VisibleJobs
from server.config import Config
from server.flow.examine.confined import Examiner
from server.jobs.errors import InternalError, InvalidCommand, JobError
from server.store import StoreUnavailable
from server.store.health import HealthProbe
from server.store.history import History
from server.store.tokens import TokenReader
from server.tracing import Tracing

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 1
REQUEST_SECONDS = 30
"""How long a client may take to send one request."""
HANDLER_MARGIN_SECONDS = 30
"""What Sanic allows a handler beyond the longest wait that we configure."""
KEEP_ALIVE_SECONDS = 75


class Errors(ErrorHandler):
    """Every exception as ModelBox's error form. Only what is nobody's mistake but ours is logged."""

    def default(self, request: Request, exception: Exception) -> HTTPResponse:
        match exception:
            case JobError():
                return job_error_answer(exception)
            case StoreUnavailable():
                return error_answer(
                    503,
                    InternalError.code,
                    f"{InternalError.text}, {exception}",
                    {"Retry-After": str(RETRY_AFTER_SECONDS)},
                )
            case SanicException() if exception.status_code < 500:
                headers = dict(exception.headers)
                if exception.status_code == 405:
                    # Sanic's router leaves it out for routes with a path parameter
                    headers.setdefault("Allow", jobs.ALLOW if request.path.startswith(jobs.BASE) else "GET, HEAD")
                return error_answer(
                    exception.status_code,
                    InvalidCommand.code,
                    f"{InvalidCommand.text}, {exception}",
                    headers,
                )
            case SanicException(status_code=503):
                return error_answer(
                    503, InternalError.code, f"{InternalError.text}, {exception}", dict(exception.headers)
                )
        log.error("request failed", path=getattr(request, "path", ""), exc_info=exception)
        return error_answer(500, InternalError.code, InternalError.text)


def longest_request(config: Config) -> float:
    """Seconds after which Sanic ends one, streams excepted."""
    return HANDLER_MARGIN_SECONDS + _longest_wait(config)


def _longest_wait(config: Config) -> float:
    jobs = config.jobs
    # an examination may wait for its turn as long as it may take
    return max(jobs.create_wait, jobs.delete_wait, 2 * jobs.examine_wait, MOST_SECONDS)


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What the handlers use, found in `app.ctx` by these names."""

    gate: Gate
    visible: VisibleJobs
    token_reader: TokenReader
    view: JobsView
    index: JobIndex
    commands: JobCommands
    once_only: OnceOnly
    history: History
    feed: Feed
    log_places: LogPlaces
    health: HealthProbe
    requests: RequestCounts
    tracing: Tracing | None
    scrape: Scrape
    streams: set[object]
    examiner: Examiner
    graphs: JobGraphs
    full_statuses: FullStatuses


def build_app(config: Config, services: Services) -> Sanic[Any, Any]:
    app = CountingApp("modelbox-api", configure_logging=False, error_handler=Errors())
    app.config.update(
        {
            "ACCESS_LOG": False,
            "REQUEST_MAX_SIZE": config.server.max_body_bytes,
            "REQUEST_TIMEOUT": REQUEST_SECONDS,
            "RESPONSE_TIMEOUT": longest_request(config),
            "KEEP_ALIVE_TIMEOUT": KEEP_ALIVE_SECONDS,
        }
    )
    for name in services.__struct_fields__:
        setattr(app.ctx, name, getattr(services, name))
    app.ctx.restart_policy = config.engine.restart_policy
    app.ctx.limits = config.engine.limits
    app.ctx.secrets = config.secrets.allowed
    app.ctx.about_job = endpoints.about_job()
    app.ctx.log_threads = ThreadPoolExecutor(READERS, "log-reader")
    app.ctx.log_pacer = Pacer()
    app.ctx.descriptions = endpoints.descriptions(needs_token=services.gate.is_required)
    if config.acl.allow:
        app.register_middleware(acl.only_from(config.acl.networks), "request", priority=100)
    app.register_middleware(services.gate.admit, "request", priority=50)
    app.blueprint(jobs.blueprint())
    endpoints.add_routes(app)
    return app
