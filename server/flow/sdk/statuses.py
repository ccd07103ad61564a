"""From the engine's errors to the Status that programs get."""

from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import Status, UnitStatusCode


def status_of(error: FlowError) -> Status:
    """The chain of messages as wrapped statuses, the outermost step first (spec 3.1)."""
    code = unit_code(error.code)
    status = Status(code)
    for message in reversed(error.messages):
        status = Status(status, message) if status.errormsg() else Status(code, message)
    return status


def unit_code(code: StatusCode) -> UnitStatusCode:
    """FAULT for the codes that Python does not have (spec 4.10)."""
    try:
        return UnitStatusCode(int(code))
    except ValueError:
        return UnitStatusCode.STATUS_FAULT
