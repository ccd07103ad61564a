"""The webhook of output_broker: each buffer is the body of a POST (spec 7.7)."""

import http.client
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from server.flow.units.http_call import call, check_url

SEND_SECONDS = 30.0


class Sent(Enum):
    DONE = "done"
    RETRY = "retry"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class Webhook:
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=())

    def send(self, body: bytes) -> tuple[Sent, str]:
        """Waits for the answer. 2xx is done, another status is worth a retry, and so is a receiver that cannot be
        reached: ModelBox gives up there, which loses what a receiver's restart was to be bridged for."""
        try:
            status, _ = call("POST", self.url, dict(self.headers), body, seconds=SEND_SECONDS)
        except (OSError, http.client.HTTPException) as error:
            return Sent.RETRY, f"{self.url}: {type(error).__name__}: {error}"
        except ValueError as error:
            return Sent.GIVE_UP, str(error)
        if 200 <= status < 300:
            return Sent.DONE, ""
        return Sent.RETRY, f"{self.url} answered with status {status}"


def webhook_of(cfg: str) -> Webhook:
    """From a broker's `cfg`, JSON text with the members `url` and `headers`, both required.

    Raises: ValueError, when it is something else.
    """
    try:
        found = msgspec.json.decode(cfg)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"cfg of a webhook is no JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("url"), str):
        raise ValueError("cfg of a webhook must have the member url, a text")
    headers = found.get("headers")
    if not isinstance(headers, dict):
        raise ValueError("cfg of a webhook must have the member headers, an object")
    check_url(found["url"])
    return Webhook(found["url"], tuple((str(name), str(value)) for name, value in headers.items()))
