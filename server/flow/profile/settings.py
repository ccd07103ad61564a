"""What a graph file asks for in `[profile]` (spec 1.4)."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from server.flow import values
from server.flow.settings import shown
from server.flow.status import FlowError, StatusCode

FOLDER_VARIABLE = "PROFILE_PATH"
DEFAULT_FOLDER = "/tmp/modelbox/perf"  # noqa: S108  ModelBox's; files are made in it without following links

_FORBIDDEN = re.compile("/(bin|boot|sbin|etc|dev|proc|sys|var)(/.*)?", re.DOTALL)


class ProfileSettings(msgspec.Struct, frozen=True):
    """`sessions`: whether a trace also has a lane for each session."""

    performance: bool
    trace: bool
    sessions: bool
    folder: Path


def profile_settings(settings: Mapping[str, str]) -> ProfileSettings | None:
    """None: nothing is wanted. Raises: FlowError, as `check_profile`."""
    performance = values.get_bool(settings, "profile.performance")
    trace = values.get_bool(settings, "profile.trace")
    if not performance and not trace:
        return None
    sessions = values.get_bool(settings, "profile.session")
    return ProfileSettings(performance, trace, sessions, _folder(settings))


def check_profile(settings: Mapping[str, str]) -> None:
    """Raises: FlowError FAULT, when the files would go where only the system may write (spec 1.4)."""
    if settings.get("profile.dir") or profile_settings(settings) is not None:
        _folder(settings)


def _folder(settings: Mapping[str, str]) -> Path:
    source = FOLDER_VARIABLE
    wanted = os.environ.get(FOLDER_VARIABLE, "")
    if not wanted:
        source, wanted = "profile.dir", settings.get("profile.dir", "") or DEFAULT_FOLDER
    # abspath keeps two slashes at the beginning
    folder = "/" + os.path.abspath(wanted).lstrip("/")
    if _FORBIDDEN.fullmatch(folder):
        words = f"{source} may not be in '{shown(folder)}'; choose a folder outside of the system's"
        raise FlowError(StatusCode.FAULT, "Initial profiler failed.", words)
    return Path(folder)
