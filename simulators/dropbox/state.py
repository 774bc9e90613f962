"""Everything that the simulated Dropbox remembers between two requests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from simulators.core.contents import Draft
from simulators.core.users import User
from simulators.core.world import World
from simulators.dropbox.errors import RouteError
from simulators.dropbox.space import Space

KeptT = TypeVar("KeptT")

KEPT_COUNT_MAX = 10_000
ACCOUNT_ID_CHARACTERS = 40


@dataclass(slots=True, kw_only=True)
class UploadSession:
    """A file on its way; `received` are the lengths of its pieces, by offset."""

    draft: Draft
    started_at: datetime
    is_concurrent: bool = False
    is_closed: bool = False
    received: dict[int, int] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Up to where there are pieces, those included that are still being written."""
        return max((offset + length for offset, length in self.received.items()), default=0)


@dataclass(slots=True, kw_only=True)
class Job:
    """Something that is done behind the scenes: its outcome shows after being asked for a few times."""

    kind: str
    user_number: int
    outcome: dict[str, Any]
    polls_left: int


@dataclass(slots=True, kw_only=True)
class TemporaryLink:
    """A URL that needs no token: of one file for reading, or of one upload."""

    user_number: int
    expires_at: datetime
    value: Any
    namespace_id: str
    is_used: bool = False


@dataclass(slots=True, kw_only=True)
class SharedLink:
    """A link that a user gave to a file or folder."""

    url: str
    resource_id: str
    user_number: int
    audience: str = "public"
    password: str | None = None
    expires: datetime | None = None
    allow_download: bool = True
    access: str = "viewer"
    is_preview: bool = False


@dataclass(slots=True, kw_only=True)
class Template:
    """Which custom properties there can be, as one user and application, or team, defined them."""

    template_id: str
    owner: tuple[str, int | str]
    name: str
    description: str
    fields: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Settings:
    """What a simulator's owner may want otherwise."""

    job_polls: int = 1
    search_lag_seconds: float = 0.0
    has_paid_plan: bool = True
    """Without one a link has no password, no end, and opens for everybody."""
    longpoll_seconds_max: float | None = None
    """Long polls end after that much, whatever was asked for."""


@dataclass(slots=True, kw_only=True)
class State:
    """The world, its files, and all that has a life of its own beside them."""

    world: World
    space: Space
    settings: Settings = field(default_factory=Settings)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    sessions: dict[str, UploadSession] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    temporary_links: dict[str, TemporaryLink] = field(default_factory=dict)
    shared_links: dict[str, SharedLink] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    references: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Copy references: whose they are, a client's, and what they stand for."""
    webhooks: dict[str, str] = field(default_factory=dict)
    """A client's id to its address for notifications."""

    def launch(self, kind: str, user: User, outcome: dict[str, Any]) -> dict[str, Any]:
        """Hides an outcome in a job; the answer that names the job."""
        job_id = f"dbjid:{secrets.token_urlsafe(24)}"
        job = Job(kind=kind, user_number=user.number, outcome=outcome, polls_left=self.settings.job_polls)
        remember(self.jobs, job_id, job)
        return {".tag": "async_job_id", "async_job_id": job_id}

    def poll(self, kind: str, user: User, job_id: str) -> dict[str, Any]:
        """The outcome of a job, or that it is in progress; RouteError for somebody else's."""
        job = self.jobs.get(job_id)
        if job is None or job.kind != kind or job.user_number != user.number:
            raise RouteError("invalid_async_job_id")
        if job.polls_left > 0:
            job.polls_left -= 1
            return {".tag": "in_progress"}
        return job.outcome


def remember(store: dict[str, KeptT], key: str, value: KeptT) -> None:
    """Keeps it; the oldest of its kind is forgotten where there would be too many."""
    if len(store) >= KEPT_COUNT_MAX:
        del store[next(iter(store))]
    store[key] = value


def build_account_id(user: User) -> str:
    """Dropbox's form of a user's id."""
    return f"dbid:AAH{user.number:08}".ljust(ACCOUNT_ID_CHARACTERS, "S")


def build_member_id(user: User) -> str:
    """A user's id inside the team."""
    return f"dbmid:AAF{user.number:08}"


def build_team_id(team: str) -> str:
    """A team's id."""
    return f"dbtid:AAG{team.encode().hex()}"


def find_by_account_id(state: State, account_id: str) -> User | None:
    """The user of an account id."""
    return next((user for user in state.world.users if build_account_id(user) == account_id), None)


def format_time(moment: datetime) -> str:
    """Dropbox's timestamps have whole seconds, in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
