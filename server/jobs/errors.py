"""What can be wrong with a command, with ModelBox's codes and texts (spec 8.3).

JobError
├── InternalError        MODELBOX_001
├── NoSuchJob            MODELBOX_002
├── NoJobId              MODELBOX_003
├── NoGraph              MODELBOX_004
├── JobExists            MODELBOX_005
├── InvalidCommand       MODELBOX_006
│   └── WrongMachine
├── InvalidJobId         MODELBOX_007
├── InvalidGraph         MODELBOX_008
├── TooManyJobs          MODELBOX_009, which is ours, as are those that follow
├── NotAuthenticated     MODELBOX_010
├── NotAllowed           MODELBOX_011
├── ChangeUnderWay       MODELBOX_012
├── KeyReused            MODELBOX_013
├── StillAnswering       MODELBOX_014
└── ConditionFailed      MODELBOX_015
"""

from typing import ClassVar

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where something is wrong: in which field or parameter, at which node of the graph, in which line of it; each
    only where it is known."""

    field: str = ""
    node: str = ""
    line: int = 0


class JobError(Exception):
    """`detail` follows the fixed text after a comma and a blank."""

    code: ClassVar[str]
    text: ClassVar[str]

    def __init__(self, detail: str = "", place: Place | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.place = place

    def __str__(self) -> str:
        return f"{self.text}, {self.detail}" if self.detail else self.text


class InternalError(JobError):
    code = "MODELBOX_001"
    text = "server internal error"


class NoSuchJob(JobError):
    code = "MODELBOX_002"
    text = "request invalid, no such job"


class NoJobId(JobError):
    code = "MODELBOX_003"
    text = "request invalid, can not get jobId"


class NoGraph(JobError):
    code = "MODELBOX_004"
    text = "request invalid, can not get graph"


class JobExists(JobError):
    code = "MODELBOX_005"
    text = "request invalid, job already exist"


class InvalidCommand(JobError):
    code = "MODELBOX_006"
    text = "request invalid, invalid command"


class WrongMachine(InvalidCommand):
    """What is asked for is on the disk of another machine."""


class InvalidJobId(JobError):
    code = "MODELBOX_007"
    text = (
        "job id contain invalid characters or contains more than 64 characters, "
        "please rename job with valid charaters."
    )


class InvalidGraph(JobError):
    code = "MODELBOX_008"
    text = "request invalid, job config is invalid"


class TooManyJobs(JobError):
    code = "MODELBOX_009"
    text = "request refused, too many jobs"


class NotAuthenticated(JobError):
    """`challenge` is what `WWW-Authenticate` says beyond the scheme, see RFC 6750."""

    code = "MODELBOX_010"
    text = "request refused, not authenticated"

    def __init__(self, detail: str, challenge: str = "") -> None:
        super().__init__(detail)
        self.challenge = challenge


class NotAllowed(JobError):
    code = "MODELBOX_011"
    text = "request refused, not allowed"


class ChangeUnderWay(JobError):
    code = "MODELBOX_012"
    text = "request refused, the job is being changed"


class KeyReused(JobError):
    code = "MODELBOX_013"
    text = "request invalid, the Idempotency-Key was used for another request"


class StillAnswering(JobError):
    code = "MODELBOX_014"
    text = "request refused, the first one with this Idempotency-Key is not answered yet"


class ConditionFailed(JobError):
    code = "MODELBOX_015"
    text = "request refused, its condition does not hold"
