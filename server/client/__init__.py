"""A typed client of the API, sync and async; the command line uses it too.

    with Client("http://edge-1:1104") as client:
        client.create("echo", Path("echo.toml").read_text())
        for entry in client.watch("echo"):
            print(entry.why)

It imports the domain's and the answers' types, and nothing of the server. What goes wrong is in `errors`, which
server and which token in `settings`.
"""

from server.client.async_client import AsyncClient
from server.client.client import Client
from server.client.errors import (
    ApiError,
    BadAnswer,
    ChangeUnderWay,
    ClientError,
    ConditionFailed,
    InvalidGraph,
    JobExists,
    NoSuchJob,
    NotAllowed,
    SettingsError,
    StillAnswering,
    TooManyJobs,
    Unavailable,
    Unreachable,
)
from server.client.retries import NO_RETRIES, Retries
from server.client.settings import Settings, load_settings

__all__ = [
    "Client",
    "AsyncClient",
    "Settings",
    "load_settings",
    "Retries",
    "NO_RETRIES",
    "ClientError",
    "ApiError",
    "BadAnswer",
    "ChangeUnderWay",
    "ConditionFailed",
    "InvalidGraph",
    "JobExists",
    "NoSuchJob",
    "NotAllowed",
    "SettingsError",
    "StillAnswering",
    "TooManyJobs",
    "Unavailable",
    "Unreachable",
]
