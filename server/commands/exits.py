"""The exit codes of commands that speak to a server."""

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.client import ClientError


class Exit(IntEnum):
    OK = 0
    WRONG = 1
    UNUSABLE = 2
    REFUSED = 3
    NO_SUCH_JOB = 4
    UNREACHABLE = 5
    NOT_ALLOWED = 6
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.WRONG: "done, and something is wrong: a graph has problems, a job failed, a part of it did not succeed",
    Exit.UNUSABLE: "nothing was done: the command line, a file or the profile cannot be used",
    Exit.REFUSED: "the server refused",
    Exit.NO_SUCH_JOB: "there is no such job",
    Exit.UNREACHABLE: "the server cannot be reached, cannot work now, or is no modelbox-server",
    Exit.NOT_ALLOWED: "the token is missing, wrong, or does not allow it",
    Exit.INTERRUPTED: "ended by Ctrl-C",
}


def exit_of(error: "ClientError") -> Exit:
    from server.client import ApiError, NoSuchJob, NotAllowed, SettingsError, Unavailable

    match error:
        case SettingsError():
            return Exit.UNUSABLE
        case NoSuchJob():
            return Exit.NO_SUCH_JOB
        case NotAllowed():
            return Exit.NOT_ALLOWED
        case Unavailable():
            return Exit.UNREACHABLE
        case ApiError():
            return Exit.REFUSED
    return Exit.UNREACHABLE
