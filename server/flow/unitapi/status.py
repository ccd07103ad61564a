"""The `Status` that unit methods return (spec 5.4)."""

from enum import IntEnum
from typing import ClassVar, overload

from server.flow import status as flow_status


class UnitStatusCode(IntEnum):
    """The codes under the names that Python units use. The other codes of spec 4.10 are not in Python."""

    STATUS_SUCCESS = 0
    STATUS_FAULT = 1
    STATUS_NOTFOUND = 2
    STATUS_INVALID = 3
    STATUS_AGAIN = 4
    STATUS_BADCONF = 5
    STATUS_NOMEM = 6
    STATUS_RANGE = 7
    STATUS_EXIST = 8
    STATUS_INTERNAL = 9
    STATUS_BUSY = 10
    STATUS_PERMIT = 11
    STATUS_NOTSUPPORT = 12
    STATUS_NODATA = 13
    STATUS_NOSPACE = 14
    STATUS_NOBUFS = 15
    STATUS_OVERFLOW = 16
    STATUS_INPROGRESS = 17
    STATUS_ALREADY = 18
    STATUS_TIMEDOUT = 19
    STATUS_NOSTREAM = 20
    STATUS_RESET = 21
    STATUS_CONTINUE = 22
    STATUS_EDQUOT = 23
    STATUS_STOP = 24
    STATUS_SHUTDOWN = 25
    STATUS_EOF = 26

    def __str__(self) -> str:
        return f"StatusCode.{self.name}"

    def __repr__(self) -> str:
        return f"<StatusCode.{self.name}: {self.value}>"


def code_text(code: UnitStatusCode) -> str:
    return flow_status.StatusCode(int(code)).text  # type: ignore[call-arg]


class Status:
    """A code, a message, and the status that this one wraps, if any."""

    StatusCode: ClassVar[type[UnitStatusCode]] = UnitStatusCode
    __slots__ = ("_code", "_message", "_wrapped")

    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, code: "UnitStatusCode | bool | Status") -> None: ...
    @overload
    def __init__(self, code: "UnitStatusCode | Status", message: str) -> None: ...

    def __init__(
        self, code: "UnitStatusCode | bool | Status" = UnitStatusCode.STATUS_SUCCESS, message: str = ""
    ) -> None:
        self._wrapped: Status | None = None
        self._message = message
        self._code: UnitStatusCode
        if isinstance(code, Status):
            self._code = code._code
            if message:
                self._wrapped = code
            else:
                self._message, self._wrapped = code._message, code._wrapped
        elif isinstance(code, bool):
            self._code = UnitStatusCode.STATUS_SUCCESS if code else UnitStatusCode.STATUS_FAULT
        else:
            self._code = UnitStatusCode(code)

    def code(self) -> UnitStatusCode:
        return self._code

    def str_code(self) -> str:
        return code_text(self._code)

    def errormsg(self) -> str:
        return self._message

    def set_errormsg(self, message: str) -> None:
        self._message = message

    def wrap_errormsgs(self) -> str:
        """All messages, the newest first; only the first element carries the code's text (spec 8.3)."""
        messages = []
        status: Status | None = self
        while status is not None:
            if status._message:
                messages.append(status._message)
            status = status._wrapped
        return f"{self.str_code()}, {' -> '.join(messages)}" if messages else self.str_code()

    def unwrap(self) -> "Status | None":
        return self._wrapped

    def __bool__(self) -> bool:
        return self._code is UnitStatusCode.STATUS_SUCCESS

    def __str__(self) -> str:
        if not self._message:
            return self.str_code()
        return f"code: {self.str_code()}, errmsg: {self._message}"

    def __repr__(self) -> str:
        return f"<Status {self.wrap_errormsgs()}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Status):
            return self._code == other._code
        if isinstance(other, bool):
            return bool(self) == other
        if isinstance(other, UnitStatusCode):
            return self._code == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._code)
