"""What an operator may set, read once at start from the environment; README's table is generated from here."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 2**20


class Settings(BaseSettings):
    """Every setting has a default that serves one machine; limits carry their unit in the name."""

    model_config = SettingsConfigDict(
        env_prefix="KLOUDLESS_", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    data_dir: Path = Field(Path("data"), description="Folder for the embedded database, the keys and the demo.")
    demo_folder: Path | None = Field(
        None, description="Folder that the demo account serves; `<data dir>/files` if not set."
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("database_url", "DATABASE_URL"),
        description="`postgresql+asyncpg://…` or `sqlite+aiosqlite:///…`; `<data dir>/kloudless.db` if not set.",
    )
    database_read_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("database_read_url", "DATABASE_READ_URL"),
        description="Where read-only sessions go, such as a replica; the same database if not set.",
    )
    database_seconds_max: float = Field(
        10.0, gt=0, description="Longest wait for a database connection or an answer before 503."
    )
    public_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        validation_alias=AliasChoices("public_origins", "PUBLIC_ORIGINS"),
        description="Comma-separated origins clients may use, such as `https://api.example.com`; a request under "
        "another Host is refused. The listening address and localhost if not set.",
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Comma-separated addresses of proxies whose `X-Forwarded-*` headers are believed.",
    )
    keys: SecretStr | None = Field(
        None, description="The keys as JSON, instead of the file; `keys rotate` then prints what to set."
    )
    keys_file: Path | None = Field(
        None, description="File with the keys (mode 0600); `<data dir>/keys.json` if not set."
    )
    connectors: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="JSON: what each connector may be told, by service; see connectors/README.md.",
    )
    allowed_networks: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Comma-separated networks, such as `10.1.0.0/16`, that addresses named by users may lead to "
        "although they are not public.",
    )
    transport: Literal["pyreqwest", "httpx"] = Field("pyreqwest", description="HTTP client towards providers.")
    provider_ca_file: Path | None = Field(None, description="Extra root certificates (PEM) for calls to providers.")
    provider_proxy_url: SecretStr | None = Field(
        None, description="Proxy for calls to providers; proxy variables of the environment are ignored."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line to log.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or text for people.")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port that answers `GET /metrics` and nothing else, without asking for a token; none if not set.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address on which the metrics' own port listens.")
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token with which `GET /metrics` is answered at the API's port, too; 404 if not set.",
    )
    traces_endpoint: str | None = Field(
        None,
        description="Where OpenTelemetry traces go (OTLP over HTTP), such as `http://127.0.0.1:4318/v1/traces`; "
        "none are made if not set.",
    )
    account_cache_seconds_max: float = Field(
        5.0,
        ge=0,
        le=60,
        description="How long an account, key or token may be remembered without asking the database.",
    )
    head_bytes_max: int = Field(64 * 1024, ge=8192, description="Largest request head; 431 above it.")
    head_seconds_max: float = Field(10.0, gt=0, description="Longest time a request head may take to arrive.")
    body_idle_seconds_max: float = Field(60.0, gt=0, description="Longest silence inside a request body; then 408.")
    body_bytes_per_second_min: int = Field(
        1000,
        ge=0,
        description="Slowest that a request body may come, over as long as it may be silent; then 408. 0 for no limit.",
    )
    reply_idle_seconds_max: float = Field(
        300.0, gt=0, description="How long a client may take nothing of its reply; then the connection is cut."
    )
    keep_alive_seconds_max: int = Field(
        75, ge=1, description="How long a connection may stay open between two requests."
    )
    json_body_bytes_max: int = Field(1 * MIB, ge=1024, description="Largest JSON or form body; 413 above it.")
    upload_bytes_max: int = Field(5 * MIB * MIB, ge=1, description="Largest file one request may carry; 413 above it.")
    connections_max: int = Field(
        4000,
        ge=1,
        description="Connections each process holds open; above it the one that waits longest for a request is closed.",
    )
    requests_parallel_max: int = Field(
        2000, ge=1, description="Requests each process serves at once; 503 with Retry-After above it."
    )
    streams_parallel_max: int = Field(
        500, ge=1, description="Uploads and downloads of files among them; 503 with Retry-After above it."
    )
    application_requests_per_second: float = Field(
        200.0,
        ge=0,
        description="Requests a second that one application, or developer, may send to each serving process on "
        "average; 429 above it, 0 for no limit.",
    )
    application_requests_burst: int = Field(2000, ge=1, description="Requests that an application may send at once.")
    account_requests_per_second: float = Field(
        50.0, ge=0, description="Requests a second for one account, as above; 0 for no limit."
    )
    account_requests_burst: int = Field(500, ge=1, description="Requests that may be sent for an account at once.")
    account_requests_parallel_max: int = Field(
        100,
        ge=0,
        description="Requests of one account served at the same time by each process; 429 above it, 0 for no limit.",
    )
    failed_logins_per_second: float = Field(
        1.0,
        ge=0,
        description="Wrong keys and tokens a second that one address (a /64 network of IPv6) may send on average; 429 "
        "for every key or token that was never good above it, 0 for no limit.",
    )
    failed_logins_burst: int = Field(100, ge=1, description="Wrong keys and tokens that an address may send at once.")
    request_log_hours_max: float = Field(
        24.0, ge=0, description="How long callers can look up their requests at `/v1/requests`; 0 keeps no log."
    )
    request_log_rows_max: int = Field(10_000, ge=1, description="Newest requests kept of one application.")
    shutdown_seconds_max: float = Field(
        4.0, gt=0, le=60, description="How long running requests may go on after SIGTERM."
    )
    links_redirect: bool = Field(
        default=True,
        description="Whether public links send browsers on to the storage's own short-lived addresses, where it has "
        "them; otherwise all bytes come through this server.",
    )
    upload_session_hours_max: float = Field(
        168.0, gt=0, description="Age at which an unfinished multipart upload is aborted."
    )

    tasks_parallel_max: int = Field(
        8, ge=0, description="Tasks (copies between accounts, uploads by URL, …) this server runs at once; 0 runs none."
    )
    task_lease_seconds: float = Field(
        30.0,
        ge=0.5,
        le=3600,
        description="How long a task stays with a server that gives no sign of life; then another goes on with it.",
    )
    task_wait_seconds_max: float = Field(
        50.0, ge=0, description="How long a request waits for its task; then 202 with the task, which goes on."
    )
    task_retention_hours: float = Field(168.0, gt=0, description="How long an ended task can be asked for.")

    @field_validator("public_origins", "trusted_proxies", "allowed_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("public_origins")
    @classmethod
    def _check_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            scheme, _, rest = origin.partition("://")
            if scheme not in {"http", "https"} or not rest or "/" in rest:
                message = f"{origin!r} is not an origin; write scheme://host[:port] without a path"
                raise ValueError(message)
        return [origin.lower() for origin in origins]

    @field_validator("metrics_port")
    @classmethod
    def _check_metrics_port(cls, port: int | None, info: ValidationInfo) -> int | None:
        if port is not None and port == info.data.get("port"):
            message = "this is the API's own port; choose another, or set KLOUDLESS_METRICS_TOKEN instead"
            raise ValueError(message)
        return port

    @field_validator("traces_endpoint")
    @classmethod
    def _check_traces_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is not None:
            url = urlsplit(endpoint)
            if url.scheme not in {"http", "https"} or not url.hostname or "@" in url.netloc:
                message = (
                    "write http://host:port/v1/traces; what the collector asks for goes to OTEL_EXPORTER_OTLP_HEADERS"
                )
                raise ValueError(message)
        return endpoint

    @model_validator(mode="after")
    def _check_connections(self) -> Self:
        if self.connections_max <= self.requests_parallel_max:
            message = "connections_max must be more than requests_parallel_max, so that health is answered in any case"
            raise ValueError(message)
        return self

    @field_validator("allowed_networks")
    @classmethod
    def _check_networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            ip_network(network)
        return networks

    @classmethod
    def list_variables(cls) -> dict[str, str]:
        """The environment variable that fills each setting, and the setting's name."""
        variables = {}
        for name, field in cls.model_fields.items():
            aliases = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else ()
            shown = next((alias for alias in aliases if isinstance(alias, str) and alias.isupper()), None)
            variables[shown or f"{cls.model_config.get('env_prefix', '')}{name}".upper()] = name
        return variables

    @property
    def origins(self) -> frozenset[str]:
        """The origins a request may come in under."""
        if self.public_origins:
            return frozenset(self.public_origins)
        names = {"127.0.0.1", "localhost", "[::1]"} if self.host in {"127.0.0.1", "localhost", "::1"} else {self.host}
        return frozenset(f"http://{name}{'' if self.port == 80 else f':{self.port}'}" for name in names)  # noqa: PLR2004 - http's port

    @property
    def base_url(self) -> str:
        """The origin to show to people."""
        return self.public_origins[0] if self.public_origins else f"http://{self.host}:{self.port}"

    @property
    def database_url_text(self) -> str:
        """Where the database is; may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'kloudless.db'}"

    @property
    def is_embedded(self) -> bool:
        """True on SQLite: one serving process."""
        return self.database_url_text.startswith("sqlite")

    @property
    def keys_path(self) -> Path:
        """Where the keys are kept."""
        return self.keys_file or self.data_dir / "keys.json"

    @property
    def demo_path(self) -> Path:
        """The folder of the demo account."""
        return (self.demo_folder or self.data_dir / "files").resolve()

    @property
    def demo_file(self) -> Path:
        """Where the demo's keys are written for scripts."""
        return self.data_dir / "demo.json"
