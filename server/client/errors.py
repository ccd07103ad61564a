"""What can go wrong when a server is asked.

ClientError
├── SettingsError        url, token or profile cannot be used
├── Unreachable          no answer: no connection, a broken one, or none in time
├── BadAnswer            an answer that is not of this API
└── ApiError             the server's own "no", with its code, text and place
    ├── NoSuchJob        MODELBOX_002
    ├── JobExists        MODELBOX_005
    ├── InvalidGraph     MODELBOX_008
    ├── TooManyJobs      MODELBOX_009
    ├── ChangeUnderWay   MODELBOX_012
    ├── StillAnswering   MODELBOX_014
    ├── ConditionFailed  MODELBOX_015
    ├── NotAllowed       401 and 403
    └── Unavailable      502, 503, 504: try again
"""

from collections.abc import Mapping

import httpx
import msgspec

from server.jobs.errors import Place
from server.wire.bodies import ErrorBody

_MOST_TEXT = 200


class ClientError(Exception):
    pass


class SettingsError(ClientError):
    pass


class Unreachable(ClientError):
    """`nothing_sent`: the server cannot have acted on the request."""

    def __init__(self, message: str, *, nothing_sent: bool) -> None:
        super().__init__(message)
        self.nothing_sent = nothing_sent


class BadAnswer(ClientError):
    pass


class ApiError(ClientError):
    """`code` and `message` are `error_code` and `error_msg` of the answer; `detail` says where, if that is known;
    `retry_after` in seconds, if the server said when to come back."""

    def __init__(
        self, status: int, code: str, message: str, detail: Place | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.retry_after = retry_after


class NoSuchJob(ApiError):
    pass


class JobExists(ApiError):
    pass


class InvalidGraph(ApiError):
    pass


class TooManyJobs(ApiError):
    pass


class ChangeUnderWay(ApiError):
    pass


class StillAnswering(ApiError):
    """The same request, sent before over another connection, is not answered yet."""


class ConditionFailed(ApiError):
    """Somebody has changed the job since it had the tag of `if_match`."""


class NotAllowed(ApiError):
    pass


class Unavailable(ApiError):
    pass


_BY_CODE: Mapping[str, type[ApiError]] = {
    "MODELBOX_002": NoSuchJob,
    "MODELBOX_005": JobExists,
    "MODELBOX_008": InvalidGraph,
    "MODELBOX_009": TooManyJobs,
    "MODELBOX_012": ChangeUnderWay,
    "MODELBOX_014": StillAnswering,
    "MODELBOX_015": ConditionFailed,
}
_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: NotAllowed,
    403: NotAllowed,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""502 and 504 are those of a proxy in front of a server that is away."""


def error_of(response: httpx.Response) -> ClientError:
    """The error in an answer of 400 and above, whose body has been read."""
    try:
        body = msgspec.json.decode(response.content, type=ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if response.status_code in _BY_STATUS:
            body = ErrorBody(error_code="", error_msg=f"{response.status_code} {response.reason_phrase}")
        else:
            return bad_answer(response)
    kind = _BY_STATUS.get(response.status_code) or _BY_CODE.get(body.error_code, ApiError)
    detail = body.detail if isinstance(body.detail, Place) else None
    return kind(response.status_code, body.error_code, body.error_msg, detail, _retry_after(response))


def bad_answer(response: httpx.Response) -> BadAnswer:
    text = response.content[:_MOST_TEXT].decode("utf-8", "replace")
    return BadAnswer(
        f"{response.request.url} answered {response.status_code} with what is not of this API: {text!r};"
        " is the URL that of a modelbox-server?"
    )


def unreachable(error: httpx.RequestError, url: object) -> Unreachable:
    nothing_sent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    what = "cannot be reached" if nothing_sent else "did not answer"
    reason = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        reason += "; whom to trust is said by --ca-cert, MODELBOX_CA_CERT or the profile's ca_cert"
    elif isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) and str(url).startswith("https:"):
        reason += "; does it ask for a client certificate? That is --client-cert, or the profile's client_cert"
    return Unreachable(f"{url} {what}: {reason}", nothing_sent=nothing_sent)


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
