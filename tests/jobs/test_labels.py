"""Labels: what they may be, and choosing by them."""

import pytest

from server.jobs.change import options_of
from server.jobs.errors import InvalidCommand
from server.jobs.labels import LabelTest, all_pass, keys_of, label_test, labels_of, labels_text

LABELS = {"team": "vision", "site": "", "example.org/tier": "a=b"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("team=vision", True),
        ("team=other", False),
        ("team!=vision", False),
        ("team!=other", True),
        ("absent!=x", True),
        ("absent=", False),
        ("team", True),
        ("!team", False),
        ("absent", False),
        ("!absent", True),
        ("site=", True),
        ("site", True),
        ("site!=", False),
        ("example.org/tier=a=b", True),
        ("example.org/tier!=a", True),
    ],
)
def test_what_is_asked_of_a_label(text: str, passes: bool) -> None:
    test = label_test(text)
    assert test.passes(LABELS) is passes
    assert ((test.key in keys_of(LABELS)) is not test.negated) is passes


def test_all_tests_must_be_passed() -> None:
    assert all_pass([LabelTest("team"), LabelTest("absent", negated=True)], LABELS)
    assert not all_pass([LabelTest("team"), LabelTest("absent")], LABELS)


@pytest.mark.parametrize("text", ["", "=x", "!", "!=x"])
def test_a_label_has_a_name(text: str) -> None:
    with pytest.raises(ValueError, match="a label has a name"):
        label_test(text)


def test_labels_are_written_as_they_are_read() -> None:
    assert labels_of(labels_text(LABELS).split(",")) == LABELS
    for wrong, said in (
        (["team"], "'team' is no"),
        (["=x"], "'=x' is no"),
        (["a=1", "a=2"], "'a' is given twice"),
    ):
        with pytest.raises(ValueError, match=said):
            labels_of(wrong)


@pytest.mark.parametrize("labels", [{"a": ""}, {"a.b-c/d_e": "f g=h!"}, {"n" * 64: "v" * 255}])
def test_labels_that_a_job_may_have(labels: dict[str, str]) -> None:
    assert options_of({"labels": labels}).labels == labels


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"": "x"}, "'' is no name"),
        ({"-a": "x"}, "'-a' is no name"),
        ({"a\n": "x"}, "is no name"),
        ({"a=b": "x"}, "'a=b' is no name"),
        ({"!a": "x"}, "'!a' is no name"),
        ({"n" * 65: "x"}, "is no name"),
        ({"ok": "", "a": "x\n"}, "value of label 'a' has"),
        ({"a": "x,y"}, "value of label 'a' has"),
        ({"a": "\x1b[2J"}, "value of label 'a' has"),
        ({"a": "v" * 256}, "value of label 'a' has"),
        ({"a": 1}, "value of label 'a' must be a text"),
        ({"a": None}, "value of label 'a' must be a text"),
        ({f"n{n}": "x" for n in range(65)}, "length <= 64"),
        (["a"], "expected object"),
    ],
)
def test_labels_that_it_may_not_have(labels: object, said: str) -> None:
    with pytest.raises(InvalidCommand, match=said) as refused:
        options_of({"labels": labels})
    assert refused.value.place is not None
    assert refused.value.place.field == "options.labels"
