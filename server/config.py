"""The configuration: defaults, a TOML file, environment variables and options, made into one frozen object.

`conf/server.toml` shows every key with its default; a test holds it equal to the defaults here.
"""

import os
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import tomli

from server.errors import StartError
from server.jobs.limits import Limits
from server.jobs.options import Attempts, HealthySeconds, Restart, RestartPolicy, Seconds, Share
from server.tracing import TracingSettings

if TYPE_CHECKING:
    from server.flow.limits import FlowLimits
    from server.flow.secrets import AllowedSecrets

Network = IPv4Network | IPv6Network
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Pause = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
"""Seconds; none at all would be no time to do it in."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ServerSection(Section, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: Port = 1104
    state_dir: str = ""
    database_url: str = ""
    flow_path: str = ""
    max_body_bytes: Count = 16 * 1024 * 1024
    log_level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "info"


class AclSection(Section, frozen=True, kw_only=True):
    allow: tuple[str, ...] = ()

    @property
    def networks(self) -> tuple[Network, ...]:
        """Raises: ValueError, for an entry that is neither an address nor a network."""
        return tuple(ip_network(entry, strict=False) for entry in self.allow)


class AccessSection(Section, frozen=True, kw_only=True):
    tokens: Annotated[str, msgspec.Meta(pattern="^(auto|required|open)$")] = "auto"


class TlsRoles(Section, frozen=True, kw_only=True):
    read: tuple[str, ...] = ()
    operate: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()


class TlsSection(Section, frozen=True, kw_only=True):
    cert: str = ""
    key: str = ""
    client_ca: str = ""
    roles: TlsRoles = TlsRoles()


class JobsSection(Section, frozen=True, kw_only=True):
    create_wait: Seconds = 10.0
    delete_wait: Seconds = 15.0
    examine_wait: Seconds = 15.0
    keys_kept: Seconds = 86400.0
    max: Attempts = 0


class EngineSection(Section, frozen=True, kw_only=True):
    start_timeout: Seconds = 60.0
    stop_grace: Seconds = 5.0
    max_starting: Count = 8
    restart: Restart = Restart.ON_FAILURE
    restart_attempts: Attempts = 0
    restart_interval: Seconds = 0.0
    restart_delay: Seconds = 0.5
    restart_delay_max: Seconds = 60.0
    restart_jitter: Share = 0.2
    healthy_after: HealthySeconds = 30.0
    stall_after: Seconds = 60.0
    restart_on_stall: bool = False
    cgroup: str = "auto"
    limits: Limits = Limits()

    @property
    def restart_policy(self) -> RestartPolicy:
        return RestartPolicy(
            policy=self.restart,
            attempts=self.restart_attempts,
            interval=self.restart_interval,
            delay=self.restart_delay,
            delay_max=self.restart_delay_max,
            jitter=self.restart_jitter,
            healthy_after=self.healthy_after,
            on_stall=self.restart_on_stall,
        )


class FlowSection(Section, frozen=True, kw_only=True):
    max_request_bytes: Count = 100 * 1024 * 1024
    max_header_bytes: Count = 64 * 1024
    request_seconds: Pause = 60.0

    @property
    def limits(self) -> "FlowLimits":
        # here, as the command line is not to load the flow package
        from server.flow.limits import FlowLimits

        return FlowLimits(
            max_request_bytes=self.max_request_bytes,
            max_header_bytes=self.max_header_bytes,
            request_seconds=self.request_seconds,
        )


class SecretsSection(Section, frozen=True, kw_only=True):
    env: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def allowed(self) -> "AllowedSecrets":
        from server.flow.secrets import AllowedSecrets

        return AllowedSecrets(env=self.env, files=self.files)


class LogSection(Section, frozen=True, kw_only=True):
    file_bytes: Annotated[int, msgspec.Meta(ge=64)] = 8 * 1024 * 1024
    files: Count = 4
    attempts: Attempts = 10
    max_age: Seconds = 14 * 86400.0
    max_age_deleted: Seconds = 3 * 86400.0
    max_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0


class MetricsSection(Section, frozen=True, kw_only=True):
    max_jobs: Annotated[int, msgspec.Meta(ge=0)] = 1000
    max_nodes: Annotated[int, msgspec.Meta(ge=0)] = 4000


class Config(Section, frozen=True, kw_only=True):
    server: ServerSection = ServerSection()
    acl: AclSection = AclSection()
    access: AccessSection = AccessSection()
    tls: TlsSection = TlsSection()
    jobs: JobsSection = JobsSection()
    engine: EngineSection = EngineSection()
    flow: FlowSection = FlowSection()
    secrets: SecretsSection = SecretsSection()
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()
    tracing: TracingSettings = TracingSettings()

    @property
    def state_dir(self) -> Path:
        return Path(self.server.state_dir)

    @property
    def database_url(self) -> str:
        return self.server.database_url or f"sqlite:///{self.state_dir / 'modelbox.db'}"


def load_config(
    conf_file: Path | None, options: Mapping[str, object], environ: Mapping[str, str] = os.environ
) -> Config:
    """The configuration in force. `options` maps "section.key" to a value, None where it was not given.

    Raises: StartError, which names the file or variable, the key and what is wrong with it.
    """
    tree = _read_file(conf_file) if conf_file else {}
    _convert(tree, str(conf_file))
    for name, value, source in _overrides(options, environ):
        _convert(_put({}, name, value), source)
        _put(tree, name, value)
    config = _convert(tree, "the configuration")
    state_dir = Path(config.server.state_dir).expanduser() if config.server.state_dir else _state_home(environ)
    server = msgspec.structs.replace(config.server, state_dir=str(state_dir.absolute()))
    return msgspec.structs.replace(config, server=server)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartError(f"{path}: not valid TOML: {error}") from error


def _convert(tree: dict[str, Any], source: str) -> Config:
    config = _convert_types(tree, source)
    try:
        assert config.acl.networks is not None
    except ValueError as error:
        raise StartError(f"{source}: acl.allow: {error}; give addresses or networks such as 10.0.0.0/8") from error
    return config


def _convert_types(tree: dict[str, Any], source: str) -> Config:
    try:
        return msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        key = where.strip("`.")
        if "unknown field" in what:
            unknown = what.split("`")[1]
            raise StartError(f"{source}: unknown key '{f'{key}.{unknown}'.lstrip('.')}'") from error
        raise StartError(f"{source}: {key}: {what.replace('`', '').lower()}") from error


def _overrides(options: Mapping[str, object], environ: Mapping[str, str]) -> list[tuple[str, object, str]]:
    """Each (section.key, value, where it comes from), weakest first."""
    found: list[tuple[str, object, str]] = []
    for name, default in _keys(Config()):
        variable = f"MODELBOX_{name}".replace(".", "_").upper()
        if variable in environ:
            found.append((name, _from_text(environ[variable], default), f"environment variable {variable}"))
    for name, option in options.items():
        if option is not None:
            found.append((name, option, f"option --{name.split('.')[1].replace('_', '-')}"))
    return found


def _keys(defaults: msgspec.Struct, within: str = "") -> Iterator[tuple[str, object]]:
    """Each key with its default, named from the outer section to the inner."""
    for field in defaults.__struct_fields__:
        default = getattr(defaults, field)
        if isinstance(default, msgspec.Struct):
            yield from _keys(default, f"{within}{field}.")
        else:
            yield f"{within}{field}", default


def _put(tree: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    *sections, key = name.split(".")
    inner = tree
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[key] = value
    return tree


def _from_text(text: str, default: object) -> object:
    """`text` as the type of the key's default, or as it is where it does not read as that; the check of the
    type then names it."""
    if isinstance(default, tuple):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(default, (int, float)):
        try:
            return type(default)(text)
        except ValueError:
            return text
    return text


def _state_home(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "modelbox-server"
