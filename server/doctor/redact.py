"""Takes out of texts what lets somebody in: known secrets wherever they stand, others by how they look."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from server.flow.secrets import MOST_OF_A_FILE, AllowedSecrets
from server.jobs.access import PREFIX

REMOVED = "[removed]"
MOST_FILES = 1000
SHORTEST = 4
"""Letters; a shorter secret would take half of every text along."""
_SECRET_NAME = (
    r"[\w.-]*(?:password|passwd|passphrase|secret(?!s)|token(?!s)|api[_-]?key|private[_-]?key|credential)[\w.-]*"  # noqa: S105
)
_NAME = re.compile(_SECRET_NAME, re.IGNORECASE)
_PATTERNS = (
    # a key in PEM, also with its line ends written as \n
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        REMOVED,
    ),
    (re.compile(r"(?<=://)[^\s/@:\"'<>]*:[^\s@\"'<>]*(?=@)"), REMOVED),
    (re.compile(rf"\b{PREFIX}[A-Za-z0-9]{{4,}}_[A-Za-z0-9]+"), REMOVED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {REMOVED}"),
    (
        re.compile(
            rf"(?i)(?<![\w.-])({_SECRET_NAME}[\"']?\s*[=:]\s*)([\"']?)(?![{{\[])(?:(?<=[\"'])[^\"'\n]*|[^\s,;&\"'}}\]]+)"
        ),
        rf"\1\2{REMOVED}",
    ),
)


class Redactor:
    def __init__(self, secrets: Iterable[str]) -> None:
        """`secrets` are taken out as they are and as they stand in JSON."""
        known = {secret.strip() for secret in secrets}
        forms = {form for secret in known if len(secret) >= SHORTEST for form in (secret, _in_json(secret))}
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REMOVED, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text


def secrets_in(environ: Mapping[str, str], database_url: str) -> set[str]:
    """The values that are secrets by their name, and the password of the database."""
    found = {value for name, value in environ.items() if _NAME.fullmatch(name)}
    found |= {word for value in environ.values() if (word := _password_of(value))}
    if word := _password_of(database_url):
        found |= {word, unquote(word)}
    return found


def secrets_of_graphs(environ: Mapping[str, str], allowed: AllowedSecrets) -> set[str]:
    """The values that graphs may refer to, here and now."""
    found = {value for name, value in environ.items() if allowed.allows_variable(name)}
    for folder in allowed.files:
        for path in islice(Path(folder).expanduser().rglob("*"), MOST_FILES):
            try:
                if path.is_file() and path.stat().st_size <= MOST_OF_A_FILE:
                    found.add(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError):
                continue  # nor can a graph have it
    return found


def _password_of(url: str) -> str:
    try:
        return (urlsplit(url).password or "") if "://" in url else ""
    except ValueError:
        return ""


def _in_json(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
