"""What a person can choose about the monitoring layer: arguments, or ``MONITORING_*`` environment variables."""

import difflib
import logging
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from monitoring.errors import UsageError, explain
from monitoring.units import parse_duration_s

logger = logging.getLogger("monitoring")

STORE_SUFFIX = ".metrics.sqlite"
"""What follows a service's name in that of its store."""

_NEAR = 0.85
"""Likeness from which one name may be meant for another: a letter or two in the wrong place."""
_ENDPOINT = re.compile(r"(?P<method>[A-Z]+) (?P<route>/\S*)")
_RESERVED_NAMES = frozenset({"prometheus"})
_RESERVED_SERVICES = frozenset({"database-queries"})
_TOKEN = re.compile(r"[\x21-\x7e]+")


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration_s(value)
    except UsageError:
        raise ValueError("not a duration such as 100ms, 60s or 7d") from None


def _listed(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _covered(value: Any) -> Any:
    # Before it is looked at, so that no error text shows it.
    return SecretStr(value) if isinstance(value, str) else value


def _sendable(token: SecretStr | None) -> SecretStr | None:
    if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("not a token of ASCII letters, digits and signs")
    return token


Seconds = Annotated[float, BeforeValidator(_duration), Field(gt=0, allow_inf_nan=False)]
"""A duration above zero: a number of seconds, or a text such as ``100ms``."""


class Settings(BaseSettings):
    """
    Everything that can be chosen. Each field can also be set as ``MONITORING_<FIELD>`` in the environment.

    Durations are seconds, or texts such as ``100ms``, ``60s``, ``7d``.
    """

    model_config = SettingsConfigDict(
        env_prefix="MONITORING_", frozen=True, extra="forbid", validate_default=True, env_ignore_empty=True
    )

    enabled: bool = Field(default=True, description="False makes `instrument` do nothing at all.")
    service: str = Field(
        default="master-backend",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Name of the service: in the answers, and of its log and store files.",
    )
    service_version: str | None = Field(
        default=None, description="Version of the service, shown by the health endpoint."
    )
    api_prefix: str = Field(
        default="/api", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="Path before health and metrics."
    )
    endpoints: dict[str, str] = Field(
        default={"pending-deployments": "GET /api/deployments/pending/{agent_id}"},
        description="Name of an endpoint under `metrics/` -> the method and route template it is about.",
    )
    openapi: bool = Field(default=True, description="Whether the endpoints stand in the OpenAPI document.")
    token: Annotated[SecretStr | None, AfterValidator(_sendable), BeforeValidator(_covered)] = Field(
        default=None,
        description="Bearer token for every endpoint but the bare liveness answer; None leaves them open.",
    )

    server_timing: bool = Field(default=False, description="Whether answers carry a Server-Timing header.")
    request_id_header: str = Field(
        default="X-Request-ID", pattern=r"^[A-Za-z0-9-]{1,64}$", description="Header that carries the request id."
    )
    excluded_routes: Annotated[tuple[str, ...] | None, BeforeValidator(_listed)] = Field(
        default=None,
        description="Route templates neither counted nor logged, separated by commas, `*` at the end for a "
        "prefix; by default the monitoring endpoints themselves.",
    )
    agent_parameter: str = Field(default="agent_id", description="Path parameter that names the agent.")
    max_routes: int = Field(
        default=256, ge=1, le=10_000, description="Routes told apart; the rest is `<overflow>`."
    )
    max_agents: int = Field(
        default=1000, ge=1, le=100_000, description="Agents told apart; the rest is `<overflow>`."
    )
    max_statements: int = Field(default=500, ge=1, le=10_000, description="Statements told apart; likewise.")

    slow_request_s: Seconds = Field(
        default=0.5, description="A request that takes this long is logged as a WARNING; websockets are not."
    )
    slow_query_s: Seconds = Field(default=0.1, description="A statement that takes longer is marked slow.")
    n_plus_one_queries: int = Field(
        default=10, ge=2, description="The same statement this often in one request is reported as N+1."
    )
    leak_threshold_s: Seconds = Field(
        default=30.0, description="A connection held longer is reported as a possible leak."
    )

    log_dir: Path = Field(default=Path("logs"), description="Folder of the log files (made when missing).")
    log_format: Literal["json", "text"] = Field(default="json", description="Form of a log line.")
    log_requests: bool = Field(default=True, description="Whether requests are logged to `<service>.log`.")
    log_queries: bool = Field(default=True, description="Whether statements are logged to `database-queries.log`.")
    log_query_parameters: bool = Field(
        default=False, description="Whether their parameters are logged too, redacted."
    )
    log_application: bool = Field(
        default=False, description="Whether `logging` records go to `<service>.log` too."
    )
    log_max_bytes: int = Field(default=10_000_000, ge=10_000, description="Size at which a log file is rotated.")
    log_backups: int = Field(default=5, ge=0, le=10_000, description="Rotated files kept.")
    log_max_age_s: Seconds | None = Field(
        default=None, description="Age at which a log file is rotated; None for never."
    )
    log_compress: bool = Field(default=False, description="Whether rotated files are gzipped.")
    log_queue_lines: int = Field(
        default=20_000, ge=100, description="Lines waiting to be written; beyond it they drop."
    )

    store: bool = Field(default=True, description="False keeps figures in memory only, for this process alone.")
    store_dir: Path | None = Field(default=None, description="Folder of the store; None puts it beside the logs.")

    health_deadline_s: Seconds = Field(
        default=2.0, le=60, description="Longest that the health endpoint waits for a ping."
    )
    health_cache_s: Seconds = Field(default=1.0, description="Age up to which a ping's result is reused.")

    @field_validator("service")
    @classmethod
    def _check_service(cls, service: str) -> str:
        if service in _RESERVED_SERVICES:
            raise ValueError("the name of the log of all statements")
        return service

    @field_validator("endpoints")
    @classmethod
    def _check_endpoints(cls, endpoints: dict[str, str]) -> dict[str, str]:
        for name, target in endpoints.items():
            if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name) or name in _RESERVED_NAMES:
                raise ValueError(f"name {name!r}: need small letters, digits and dashes, and not 'prometheus'")
            if not _ENDPOINT.fullmatch(target):
                raise ValueError(f"endpoint {name!r}: got {target!r}, need a form such as 'GET /api/items/{{id}}'")
        return endpoints

    @classmethod
    def load(cls, **chosen: Any) -> Self:
        """
        Read the settings; like the constructor, with a person's error text.

        Args:
            chosen: fields that shall not come from the environment.

        Raises:
            UsageError: a value that can't be used, named with its variable.
        """
        try:
            return cls(**chosen)
        except SettingsError as error:
            # Of the source, not of the value: a variable that has to be JSON and is not.
            named = re.search(r'field "(\w+)"', str(error))
            variable = f"{cls.model_config['env_prefix']}{named[1].upper() if named else '*'}"
            raise UsageError(
                explain(
                    "setting",
                    named[1] if named else None,
                    fault="not JSON",
                    got=repr(os.environ.get(variable)),
                    remedy=f"another value for {variable}",
                )
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "settings"
            secret = field.startswith("token")
            raise UsageError(
                explain(
                    "setting",
                    field,
                    fault=first["msg"].removeprefix("Value error, "),
                    got="***" if secret else repr(first["input"]),
                    remedy=f"another value for {cls.model_config['env_prefix']}{field.split('.')[0].upper()}",
                )
            ) from error

    @property
    def folder(self) -> Path:
        """Folder of the store."""
        return self.store_dir if self.store_dir is not None else self.log_dir

    @property
    def store_path(self) -> Path:
        """File of the store: one for each service, so that two services can share a folder."""
        return self.folder / f"{self.service}{STORE_SUFFIX}"

    @model_validator(mode="after")
    def _warn_of_near_misses(self) -> Self:
        """Warn of variables that are almost a setting; others with the prefix may belong to somebody else."""
        prefix = str(self.model_config["env_prefix"])
        names = [f"{prefix}{field.upper()}" for field in type(self).model_fields]
        for variable in sorted(os.environ):
            # As the settings read them: the case of letters does not count.
            name = variable.upper()
            if name.startswith(prefix) and name not in names:
                meant = difflib.get_close_matches(name, names, n=1, cutoff=_NEAR)
                if meant:
                    logger.warning(
                        "monitoring: there is no setting '%s', it is left aside; is '%s' meant?",
                        variable,
                        meant[0],
                    )
        return self

    @model_validator(mode="after")
    def _warn_of_an_empty_token(self) -> Self:
        """Warn of a variable that is there and says nothing: who set it does not expect open endpoints."""
        variable = f"{self.model_config['env_prefix']}TOKEN"
        if self.token is None and any(
            name.upper() == variable and not value for name, value in os.environ.items()
        ):
            logger.warning("monitoring: %s is empty, so everybody may read the endpoints", variable)
        return self

    def endpoint(self, name: str) -> tuple[str, str]:
        """Return ``(method, route template)`` of the named endpoint; KeyError when there is none."""
        method, route = self.endpoints[name].split(" ", 1)
        return method, route

    def excludes(self, route: str) -> bool:
        """Tell whether requests to this route template are neither counted nor logged; by default none are."""
        return any(
            route.startswith(pattern[:-1]) if pattern.endswith("*") else route == pattern
            for pattern in self.excluded_routes or ()
        )
