"""ModelBox's status codes and the error that carries one.

Numbers and texts: ModelBox's Status (spec 4.10). The texts are on the wire, so they keep their spelling.
"""

from enum import IntEnum
from typing import Self


class StatusCode(IntEnum):
    """What a call came to. `text` is the wording that clients see."""

    text: str

    def __new__(cls, value: int, text: str) -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.text = text
        return member

    SUCCESS = 0, "Success"
    FAULT = 1, "Fault"
    NOTFOUND = 2, "Not found"
    INVALID = 3, "Invalid argument"
    AGAIN = 4, "Try again"
    BADCONF = 5, "Bad config"
    NOMEM = 6, "Out of memory"
    RANGE = 7, "Out of range"
    EXIST = 8, "Already exists"
    INTERNAL = 9, "Internal error"
    BUSY = 10, "Device or resource busy"
    PERMIT = 11, "Operation not permitted"
    NOTSUPPORT = 12, "Not supported"
    NODATA = 13, "No data available"
    NOSPACE = 14, "No space left"
    NOBUFS = 15, "No buffer space available"
    OVERFLOW = 16, "Value too large for defined data type"
    INPROGRESS = 17, "Operation now in progress"
    ALREADY = 18, "Operation already in progress"
    TIMEDOUT = 19, "Operation timed out"
    NOSTREAM = 20, "Out of streams resources"
    RESET = 21, "Request reset"
    CONTINUE = 22, "Continue operation"
    EDQUOT = 23, "Quota exceeded"
    STOP = 24, "Stop operation"
    SHUTDOWN = 25, "Shutdown operation"
    EOF = 26, "End of file"
    NOENT = 27, "No such file or directory"
    DEADLOCK = 28, "Resource deadlock"
    NORESPONSE = 29, "No response"
    IO = 30, "Input/output error"


def open_words(unit: str, device: str) -> str:
    """What ModelBox says around anything that keeps a unit from opening (spec 3.2)."""
    return f"open flowunit '{unit}', type '{device}' failed."


class FlowError(Exception):
    """A flow could not be built, opened or run.

    `messages` go from the outer step to the inner cause; the text is the status word, then the messages
    joined by " -> ", as ModelBox words it.
    """

    def __init__(self, code: StatusCode, *messages: str) -> None:
        super().__init__(code, *messages)
        self.code = code
        self.messages = messages

    def __str__(self) -> str:
        if not self.messages:
            return self.code.text
        return f"{self.code.text}, {' -> '.join(self.messages)}"

    def within(self, outer: str) -> "FlowError":
        """The same error, seen from the step around it."""
        return FlowError(self.code, outer, *self.messages)
