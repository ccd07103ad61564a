"""What `token create` does not take."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli_token import token


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--name", "a b", "--role", "read"), "a letter or digit first"),
        (("--name", "a@b", "--role", "read"), "a letter or digit first"),
        (("--name", "x", "--role", "root"), "'root' is not one of"),
        (("--name", "x", "--role", "read", "--label", "team"), "'team' is no NAME=VALUE"),
        (("--name", "x", "--role", "read", "--label", "t=a", "--label", "t=b"), "'t' is given twice"),
        (("--name", "x", "--role", "admin", "--label", "team=a"), "is for everything"),
        (("--name", "x", "--role", "read", "--expires", "2020-01-01"), "is over"),
        (("--name", "x", "--role", "read", "--expires", "tomorrow"), "must be a time"),
        (("--name", "x", "--role", "read", "--expires", "99999999d"), "must be a time"),
    ],
)
def test_a_bad_token_is_not_made(tmp_path: Path, argv: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(token, ["create", "--state-dir", str(tmp_path / "state"), *argv])
    assert done.exit_code == 2
    assert words in done.output
    assert not (tmp_path / "state").exists()
