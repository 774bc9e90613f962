"""What one process holds: settings, database, keys, connectors. Built once, handed to every request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from app.core.cache import RowCache
from app.core.db import Database
from app.core.flights import Flights
from app.core.ids import IdCodec
from app.core.journal import Journal
from app.core.keys import KeyRing
from app.core.limiting import IncomingLimits
from app.core.metrics import Metrics
from app.core.observing import ProcessObserver
from app.core.settings import Settings
from app.core.signals import Signals
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.layers.observe import Observer
from connectors.core.layers.retry import RetryPolicy
from connectors.core.service import Options, Registry
from connectors.core.stack import Runtime
from connectors.core.tokens import Token
from connectors.core.transport import TransportSettings, build_transport
from connectors.registry import build_registry

if TYPE_CHECKING:
    from app.core.traces import Traces


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The parts of a running server, for endpoints, services and the command line alike."""

    settings: Settings
    db: Database
    cache: RowCache
    keys: KeyRing
    ids: IdCodec
    registry: Registry
    runtime: Runtime
    limits: IncomingLimits
    journal: Journal | None  # None when the operator keeps no log of requests
    metrics: Metrics
    traces: Traces | None  # None when the operator wants none
    signals: Signals
    renewals: Flights[Token]  # of access tokens, one at a time for each account
    note_change: Callable[[str], None]  # what is remembered under a name is stale, and who waits for it is woken

    def note_gap(self) -> None:
        """News was missed: anything may be stale."""
        self.cache.clear()
        self.signals.ring_all()

    async def aclose(self) -> None:
        """Closes what is open, after what must not be broken off."""
        await self.renewals.aclose()
        await self.runtime.aclose()
        await self.db.aclose()
        if self.traces is not None:
            await self.traces.aclose()


def build_registry_from(settings: Settings) -> Registry:
    """The offered services, set up as the operator wants; ValueError says which setting is wrong."""
    return build_registry(Options(settings=settings.connectors, demo_folder=settings.demo_path))


def find_keys(settings: Settings) -> KeyRing | None:
    """The keys of this installation; None when there is no key file yet. KeysError when they are no keys."""
    if settings.keys is not None:
        return KeyRing.from_text(settings.keys.get_secret_value())
    return KeyRing.from_file(settings.keys_path) if settings.keys_path.exists() else None


def build_state(settings: Settings, *, registry: Registry | None = None) -> State:
    """Opens nothing yet but the key file; KeysError and ValueError say what to mend."""
    if settings.is_embedded:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    keys = find_keys(settings) or KeyRing.from_file(settings.keys_path, create=settings.is_embedded)
    cache = RowCache(seconds_max=settings.account_cache_seconds_max)
    read_url = settings.database_read_url.get_secret_value() if settings.database_read_url else None
    signals = Signals()
    registry = registry or build_registry_from(settings)
    metrics = Metrics(service.manifest.service for service in registry)
    traces = _build_traces(settings)

    def note_change(name: str) -> None:
        cache.drop(name)
        signals.ring(name)

    return State(
        settings=settings,
        db=Database(
            settings.database_url_text,
            read_url=read_url,
            seconds_max=settings.database_seconds_max,
            on_change=note_change,
        ),
        cache=cache,
        keys=keys,
        ids=IdCodec(keys.id_key),
        registry=registry,
        metrics=metrics,
        traces=traces,
        runtime=build_runtime(settings, ProcessObserver(metrics, traces)),
        signals=signals,
        renewals=Flights(),
        note_change=note_change,
        limits=IncomingLimits(settings),
        journal=Journal() if settings.request_log_hours_max > 0 else None,
    )


def build_runtime(settings: Settings, observer: Observer, *, policy: RetryPolicy = RetryPolicy()) -> Runtime:  # noqa: B008 - frozen
    """How storages are called; ValueError and OSError say which setting is wrong."""
    transport_settings = TransportSettings(
        kind=settings.transport,
        ca_pem=settings.provider_ca_file.read_bytes() if settings.provider_ca_file else None,
        proxy_url=settings.provider_proxy_url.get_secret_value() if settings.provider_proxy_url else None,
    )
    return Runtime(
        observer=observer,
        transport=build_transport(transport_settings),
        guarded_transport=GuardedTransport(AddressGuard(settings.allowed_networks), transport_settings),
        policy=policy,
    )


def _build_traces(settings: Settings) -> Traces | None:
    if settings.traces_endpoint is None:
        return None
    from app.core.traces import Traces  # noqa: PLC0415 - takes time and memory, which only those pay who want traces

    return Traces(settings.traces_endpoint)


def get_state(request: Request) -> State:
    """The process's parts, from a request."""
    return cast("State", request.app.state.kloudless)
