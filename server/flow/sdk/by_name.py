"""`init_by_name`: the graph file with a given `flow.name` (spec 1.5)."""

import logging
from collections.abc import Iterator
from pathlib import Path

from server.flow.settings import detect_format, load_json, load_toml
from server.flow.status import FlowError, StatusCode

DEFAULT_FOLDER = "/usr/local/share/modelbox/solutions/graphs"

log = logging.getLogger("server.flow")


def read_settings(path: Path, format: str = "auto") -> dict[str, str]:
    """The settings of a graph file. `format`: auto, json or toml. Raises: FlowError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FlowError(StatusCode.BADCONF, f"read file {path} failed, {reason}") from None
    chosen = detect_format(path.name, text) if format == "auto" else format
    if chosen == "toml":
        return load_toml(text)
    try:
        return load_json(text)
    except FlowError as error:
        # of a file, ModelBox says it in other words than of a string (spec 1.1)
        raise FlowError(error.code, "json file is invalid.", *error.messages[1:], str(path)) from None


def settings_by_name(name: str, folder: str) -> dict[str, str]:
    """The first match: `*.toml` before `*.json`, in `folder` and its direct sub-folders.

    Raises: FlowError NOTFOUND.
    """
    seen: list[str] = []
    for path in _files(Path(folder)):
        try:
            settings = read_settings(path)
        except FlowError as error:
            log.warning("%s is no graph file: %s", path, error)
            continue
        found = settings.get("flow.name", "")
        if found == name:
            return settings
        if found:
            seen.append(found)
    others = f"there are: {', '.join(sorted(seen))}" if seen else "no file there has a flow.name"
    raise FlowError(StatusCode.NOTFOUND, f"no flow is named '{name}' in {folder}", others)


def _files(folder: Path) -> Iterator[Path]:
    for suffix in ("toml", "json"):
        yield from sorted(folder.glob(f"*.{suffix}"))
        yield from sorted(folder.glob(f"*/*.{suffix}"))
