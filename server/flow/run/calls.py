"""Calls into unit code: what comes back, whatever the unit does (spec 4.10, 5.2)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.flow.mask import Mask
from server.flow.status import StatusCode
from server.flow.unitapi import Status, UnitStatusCode

log = logging.getLogger("server.flow")

_CODES = {code: StatusCode(int(code)) for code in UnitStatusCode}  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Outcome:
    code: StatusCode
    message: str = ""

    @property
    def ends_flow(self) -> bool:
        return self.code in (StatusCode.STOP, StatusCode.SHUTDOWN)


SUCCESS = Outcome(StatusCode.SUCCESS)
CONTINUE = Outcome(StatusCode.CONTINUE)


def call_unit(
    where: str, method: Callable[..., Any], *args: object, otherwise: StatusCode = StatusCode.SHUTDOWN
) -> Outcome:
    """Calls a unit's method. An exception is FAULT with the exception's words (ModelBox: an empty message),
    NOMEM when memory was wanting; something that is no status is `otherwise`."""
    try:
        returned = method(*args)
    except BaseException as error:
        log.warning("%s raised", where, exc_info=error)
        words = Mask.of_process()(f"{type(error).__name__}: {error}")
        if isinstance(error, MemoryError):
            return Outcome(StatusCode.NOMEM, f"{StatusCode.NOMEM.text}, {words}")
        return Outcome(StatusCode.FAULT, words)
    return outcome_of(where, returned, otherwise)


def outcome_of(where: str, returned: object, otherwise: StatusCode) -> Outcome:
    """What a unit's method returned. Something that is no status is SHUTDOWN for `process`, which ends the flow;
    FAULT for `open`, `data_pre` and `data_post`; SUCCESS for `close` (spec 5.2)."""
    if returned is UnitStatusCode.STATUS_SUCCESS:
        return SUCCESS
    if returned is UnitStatusCode.STATUS_CONTINUE:
        return CONTINUE
    if isinstance(returned, UnitStatusCode):
        return Outcome(_CODES[returned])
    if isinstance(returned, Status):
        return Outcome(_CODES[returned.code()], Mask.of_process()(returned.errormsg()))
    words = Mask.of_process()(f"{where} returned {returned!r}, which is neither a Status nor a Status.StatusCode")
    return Outcome(otherwise, words)
