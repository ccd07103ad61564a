"""Which server to speak to, and as whom.

The URL is the first of these that is there:
1. the one that was given (`--url`),
2. the environment's, MODELBOX_URL,
3. the profile's: the one named by `--profile` or MODELBOX_PROFILE, or else the one called `default`,
4. http://127.0.0.1:1104.

The token is found likewise: `--token`, MODELBOX_TOKEN, the profile's. So are PEM files for TLS: `--ca-cert`,
MODELBOX_CA_CERT (who may have signed the server's certificate, in place of whom the system trusts), and
`--client-cert` with `--client-key`, MODELBOX_CLIENT_CERT with MODELBOX_CLIENT_KEY (for a server that asks for a
certificate; no key when both are in one file). What is a profile's goes to that profile's own URL and to no other.
With `--profile`, what the environment says is left aside.

Profiles are tables in ~/.config/modelbox-server/profiles.toml ($XDG_CONFIG_HOME in place of ~/.config), with the
keys `url`, `token`, `ca_cert`, `client_cert` and `client_key`. A file with tokens must be readable by its owner
only.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec
import tomli

from server.client.errors import SettingsError

DEFAULT_URL = "http://127.0.0.1:1104"
DEFAULT_PROFILE = "default"


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is shown to a server, and asked of it, beyond the URL; empty: nothing."""

    token: str = ""
    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""


class Profile(Shown, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str


class Settings(Shown, frozen=True, kw_only=True):
    url: str = DEFAULT_URL

    @property
    def is_local(self) -> bool:
        return httpx.URL(self.url).host in ("127.0.0.1", "::1", "localhost")


def load_settings(
    url: str | None = None,
    token: str | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    ca_cert: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
) -> Settings:
    """The settings in force; see above. Raises: SettingsError."""
    environment = {} if profile else environ
    used = _used_profile(profile or environ.get("MODELBOX_PROFILE", ""), environ)
    chosen = url or environment.get("MODELBOX_URL") or (used.url if used else DEFAULT_URL)
    own = used if used and used.url.rstrip("/") == chosen.rstrip("/") else Shown()
    certificates = (
        (client_cert or "", client_key or ""),
        (environment.get("MODELBOX_CLIENT_CERT", ""), environment.get("MODELBOX_CLIENT_KEY", "")),
        (own.client_cert, own.client_key),
    )
    used_cert, used_key = next((pair for pair in certificates if pair[0]), certificates[0])
    return Settings(
        url=_checked_url(chosen),
        token=_checked_token(token or environment.get("MODELBOX_TOKEN") or own.token),
        ca_cert=ca_cert or environment.get("MODELBOX_CA_CERT") or own.ca_cert,
        client_cert=used_cert,
        client_key=used_key,
    )


def profiles_path(environ: Mapping[str, str] = os.environ) -> Path:
    home = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "modelbox-server" / "profiles.toml"


def _used_profile(name: str, environ: Mapping[str, str]) -> Profile | None:
    path = profiles_path(environ)
    profiles = _read(path)
    if name and name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise SettingsError(f"{path}: there is no profile '{name}'; there are: {known}")
    return profiles.get(name or DEFAULT_PROFILE)


def _read(path: Path) -> dict[str, Profile]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            profiles = msgspec.convert(tomli.load(file), dict[str, Profile])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}; a profile is a table with url and token") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and any(profile.token for profile in profiles.values()):
        raise SettingsError(f"{path}: holds tokens and is open to others; chmod 600 {path}")
    return profiles


def _checked_url(text: str) -> str:
    try:
        url = httpx.URL(text)
        is_good = url.scheme in ("http", "https") and bool(url.host) and 0 < (url.port or 1) < 65536
    except (httpx.InvalidURL, UnicodeError):
        is_good = False
    if not is_good:
        raise SettingsError(f"'{text}' is no URL of a server; give one such as {DEFAULT_URL}")
    return text.rstrip("/")


def _checked_token(text: str) -> str:
    if not all("!" <= character <= "~" for character in text):
        raise SettingsError("the token has characters that no token has (blanks, line ends, letters beyond ASCII)")
    return text
