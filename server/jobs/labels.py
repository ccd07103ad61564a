"""Choosing jobs by their labels. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from server.jobs.options import LabelName, LabelValue


class LabelTest(msgspec.Struct, frozen=True):
    """A job passes that has the label `name`, with this value unless it is None; with `negated`, one that does
    not."""

    name: str
    value: str | None = None
    negated: bool = False

    @property
    def key(self) -> "LabelKey":
        """That the labels have, or with `negated` have not, of whom passes; see `keys_of`."""
        return self.name if self.value is None else (self.name, self.value)

    def passes(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.name)
        has = found is not None if self.value is None else found == self.value
        return has is not self.negated


LabelKey = str | tuple[str, str]


def keys_of(labels: Mapping[str, str]) -> frozenset[LabelKey]:
    """What can be asked of labels, to be looked up: names, and names with values."""
    return frozenset((*labels, *labels.items()))


def label_test(text: str) -> LabelTest:
    """What `NAME`, `!NAME`, `NAME=VALUE` or `NAME!=VALUE` asks for. Raises: ValueError, saying what is wrong."""
    name, equals, value = text.partition("=")
    if equals:
        negated = name.endswith("!")
        name = name.removesuffix("!")
    else:
        negated = name.startswith("!")
        name = name.removeprefix("!")
    if not name:
        raise ValueError("a label has a name: give NAME, !NAME, NAME=VALUE or NAME!=VALUE")
    return LabelTest(name, value if equals else None, negated)


def all_pass(tests: Iterable[LabelTest], labels: Mapping[str, str]) -> bool:
    return all(test.passes(labels) for test in tests)


def labels_of(texts: Iterable[str]) -> dict[str, str]:
    """Of texts `NAME=VALUE`. Raises: ValueError, saying which is none, or which name comes twice."""
    labels: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"'{text}' is no NAME=VALUE")
        if name in labels:
            raise ValueError(f"label '{name}' is given twice")
        labels[name] = value
    return labels


def complaint(labels: object) -> str:
    """Which label cannot be one, and why; empty when nothing is wrong with names and values."""
    if not isinstance(labels, Mapping):
        return ""
    for name, value in labels.items():
        shown = str(name)[:64]
        if not is_valid(name, LabelName):
            return (
                f"'{shown}' is no name of a label: 1 to 64 of A-Z a-z 0-9 . _ - /, a letter or digit at both ends"
            )
        if not isinstance(value, str):
            return f"the value of label '{shown}' must be a text"
        if not is_valid(value, LabelValue):
            return f"the value of label '{shown}' has more than 255 characters, a comma or a control character"
    return ""


def is_valid(text: object, kind: Any) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True


def labels_text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
