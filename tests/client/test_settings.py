"""Which server and which token: what was given, environment, profile."""

from pathlib import Path

import pytest

from server.client import Client, SettingsError, load_settings

FILE = """
[default]
url = "http://default:1"
token = "of-default"

[edge]
url = "https://edge/base/"
token = "of-edge"

[open]
url = "http://open:2"
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    path = tmp_path / "modelbox-server" / "profiles.toml"
    path.parent.mkdir()
    path.write_text(FILE)
    path.chmod(0o600)
    return path


GIVEN = {"MODELBOX_URL": "http://environ:3", "MODELBOX_TOKEN": "of-environ"}


@pytest.mark.parametrize(
    ("url", "token", "profile", "environ", "expected"),
    [
        (None, None, None, {}, ("http://default:1", "of-default")),
        (None, None, None, GIVEN, ("http://environ:3", "of-environ")),
        (None, None, None, {"MODELBOX_PROFILE": "edge"}, ("https://edge/base", "of-edge")),
        (None, None, None, GIVEN | {"MODELBOX_PROFILE": "edge"}, ("http://environ:3", "of-environ")),
        (None, None, None, {"MODELBOX_TOKEN": "of-environ"}, ("http://default:1", "of-environ")),
        (None, None, None, {"MODELBOX_URL": "http://default:1/"}, ("http://default:1", "of-default")),
        (None, None, "edge", GIVEN, ("https://edge/base", "of-edge")),
        (None, None, "open", GIVEN, ("http://open:2", "")),
        ("http://given:4", None, None, GIVEN, ("http://given:4", "of-environ")),
        ("http://given:4", None, "edge", GIVEN, ("http://given:4", "")),
        ("http://given:4", None, None, {}, ("http://given:4", "")),
        ("http://given:4", "mine", "edge", GIVEN, ("http://given:4", "mine")),
        (None, "mine", "edge", GIVEN, ("https://edge/base", "mine")),
    ],
)
def test_what_counts_most(
    profiles: Path,
    url: str | None,
    token: str | None,
    profile: str | None,
    environ: dict[str, str],
    expected: tuple[str, str],
) -> None:
    home = {"XDG_CONFIG_HOME": str(profiles.parent.parent)}
    settings = load_settings(url, token, profile, environ | home)
    assert (settings.url, settings.token) == expected


def test_without_anything_it_is_the_server_on_this_machine(tmp_path: Path) -> None:
    settings = load_settings(environ={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (settings.url, settings.token, settings.is_local) == ("http://127.0.0.1:1104", "", True)


@pytest.mark.parametrize(
    "url", ["edge:1104", "ftp://edge", "http://", "http://edge:port", "http://edge:99999", "-"]
)
def test_what_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="is no URL of a server"):
        load_settings(url, environ={"XDG_CONFIG_HOME": str(tmp_path)})


def test_a_token_that_would_break_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the token has characters"):
        load_settings(token="a\r\nb", environ={"XDG_CONFIG_HOME": str(tmp_path)})


def test_a_file_with_tokens_that_others_can_read_is_refused(profiles: Path) -> None:
    profiles.chmod(0o640)
    with pytest.raises(SettingsError, match=f"chmod 600 {profiles}"):
        load_settings(environ={"XDG_CONFIG_HOME": str(profiles.parent.parent)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[edge", "not valid TOML"),
        ("[edge]\ntoken = 'x'", "missing required field `url`"),
        ("[edge]\nurl = 'http://x'\nhost = 'x'", "unknown field `host`"),
        ("", "there is no profile 'edge'; there are: none"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(profiles: Path, text: str, message: str) -> None:
    profiles.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_settings(profile="edge", environ={"XDG_CONFIG_HOME": str(profiles.parent.parent)})


TLS_FILE = """
[edge]
url = "https://edge"
ca_cert = "/edge/ca.pem"
client_cert = "/edge/me.pem"
client_key = "/edge/me.key"
"""
TLS_GIVEN = {
    "MODELBOX_CA_CERT": "/environ/ca.pem",
    "MODELBOX_CLIENT_CERT": "/environ/me.pem",
    "MODELBOX_CLIENT_KEY": "/environ/me.key",
}


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({"profile": "edge"}, TLS_GIVEN, ("/edge/ca.pem", "/edge/me.pem", "/edge/me.key")),
        ({}, TLS_GIVEN, ("/environ/ca.pem", "/environ/me.pem", "/environ/me.key")),
        ({"profile": "edge", "client_cert": "mine.pem"}, {}, ("/edge/ca.pem", "mine.pem", "")),
        ({"client_cert": "mine.pem"}, TLS_GIVEN, ("/environ/ca.pem", "mine.pem", "")),
        ({"profile": "edge", "ca_cert": "mine.pem"}, {}, ("mine.pem", "/edge/me.pem", "/edge/me.key")),
        ({"profile": "edge", "url": "https://other"}, {}, ("", "", "")),
    ],
)
def test_certificates_are_found_likewise(
    profiles: Path, given: dict[str, str], environ: dict[str, str], expected: tuple[str, str, str]
) -> None:
    profiles.write_text(TLS_FILE)
    settings = load_settings(**given, environ={"XDG_CONFIG_HOME": str(profiles.parent.parent), **environ})  # type: ignore[arg-type]
    assert (settings.ca_cert, settings.client_cert, settings.client_key) == expected


def test_a_key_without_its_certificate_is_refused(tmp_path: Path) -> None:
    settings = load_settings(client_key="me.key", environ={"XDG_CONFIG_HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match="of no use without a client certificate"):
        Client(settings)
