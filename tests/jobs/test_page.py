"""docs/jobs.md lists every option of a job, with its default, and every field of its status."""

import re
from enum import Enum
from pathlib import Path

import msgspec
import pytest

from server.jobs.limits import Limits
from server.jobs.options import JobOptions, RestartPolicy
from server.wire.bodies import JobBody

PAGE = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \|", re.M)


def rows_under(heading: str) -> dict[str, str]:
    _, _, below = PAGE.partition(heading)
    return dict(ROW.findall(below.split("\n## ")[0]))


@pytest.mark.parametrize(("heading", "options"), [("`restart`\n", RestartPolicy), ("`limits`\n", Limits)])
def test_options(heading: str, options: type[msgspec.Struct]) -> None:
    defaults = {field.name: field.default for field in msgspec.structs.fields(options)}
    assert rows_under(heading) == {name: shown(default) for name, default in defaults.items()}


def shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Enum):
        return str(default.value)
    return f"{default:g}"


def test_every_group_of_options_is_there() -> None:
    groups = {field.name for field in msgspec.structs.fields(JobOptions)}
    assert groups == {name for name in groups if f"`{name}`\n" in PAGE}


def test_fields_of_the_status() -> None:
    extra = {field.name for field in msgspec.structs.fields(JobBody)} - {"job_id", "job_status", "job_error_msg"}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## The status")[2], re.M)) == extra
