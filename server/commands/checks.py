"""What is wrong with graphs, before a server gets them."""

from collections.abc import Sequence
from pathlib import Path

from server.commands.flow_files import STDIN, FlowFile, files_in, is_flow


def problems_of(flow: FlowFile) -> list[str]:
    """All problems, with their lines; found on this machine, whose units may be others than the server's."""
    from server.flow.commands.check import examine_file

    if flow.path == STDIN:
        return []
    report = examine_file(flow.path, {})
    return [f"{problem.place}: {problem.text}" for problem in report.problems]


def validate(paths: Sequence[Path], *, as_json: bool) -> int:
    """Prints what is wrong with the flows in files and folders. Returns: as `flow check`."""
    from server.flow.commands.check import check

    files = [path for path, is_named in files_in(paths) if is_named or is_flow(path)]
    return check(files, {}, as_json=as_json) if files else 0
