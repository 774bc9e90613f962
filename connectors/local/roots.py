"""The operator's list of roots: which folders there are and which applications may have accounts in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.service import Options
from connectors.local.names import Parts, read_path, show

DEMO_ROOT = "demo"
ANY_APPLICATION = "*"
_HOLD = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Root:
    """A folder of the machine and who may use it."""

    name: str
    folder: Path
    applications: frozenset[str]

    def allows(self, application_id: str) -> bool:
        """True when this application may have accounts here."""
        return ANY_APPLICATION in self.applications or application_id in self.applications


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings for this service, checked."""

    roots: Mapping[str, Root]
    allow_api_accounts: bool


def read_settings(options: Options) -> Settings:
    """What the operator set, and the demo's root beside it; ValueError says which setting is wrong."""
    given = dict(options.settings.get("local", {}))
    allow_api_accounts = given.pop("allow_api_accounts", False)
    if not isinstance(allow_api_accounts, bool):
        raise ValueError("local.allow_api_accounts is true or false")  # noqa: TRY004 - a setting, not an argument
    listed = given.pop("roots", {})
    if given:
        raise ValueError(
            f"local has the settings roots and allow_api_accounts, not {', '.join(sorted(map(str, given)))}"
        )
    if not isinstance(listed, Mapping):
        raise ValueError("local.roots maps each root's name to its folder and applications")  # noqa: TRY004 - a setting
    roots = {name: _read_root(name, value) for name, value in listed.items()}
    demo = Root(DEMO_ROOT, options.demo_folder.absolute(), frozenset({options.demo_application_id}))
    return Settings(roots={**roots, DEMO_ROOT: demo}, allow_api_accounts=allow_api_accounts)


def _read_root(name: object, value: object) -> Root:
    where = f"local.roots.{name}"
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f'{where}: a root\'s name is a text without "/"')
    if name == DEMO_ROOT:
        raise ValueError(f"{where}: this name is kept for the demo's files")
    if not isinstance(value, Mapping) or set(value) != {"folder", "applications"}:
        raise ValueError(f"{where} has exactly two settings: folder and applications")
    folder, applications = value["folder"], value["applications"]
    if not isinstance(folder, str | Path) or not Path(folder).is_absolute():
        raise ValueError(f"{where}.folder is an absolute path")
    if (
        not isinstance(applications, list | tuple)
        or not applications
        or not all(isinstance(application, str) and application for application in applications)
    ):
        raise ValueError(f'{where}.applications is a list of application ids, or ["{ANY_APPLICATION}"] for all')
    return Root(name, Path(folder), frozenset(applications))


def find_problems(settings: Settings) -> list[str]:
    """The listed roots whose folder cannot be used now; the demo's is made when it is needed."""
    problems = []
    for name, root in settings.roots.items():
        if name == DEMO_ROOT:
            continue
        if not root.folder.is_dir():
            problems.append(f"the folder of root {name!r} is not there: {root.folder}")
        elif not os.access(root.folder, os.R_OK | os.W_OK | os.X_OK):
            problems.append(f"the folder of root {name!r} cannot be read and written by this user: {root.folder}")
    return problems


@dataclass(frozen=True, slots=True)
class Grant:
    """One account's folder: a root, and the folder inside it that the account stays in."""

    root: Root
    inside: Parts

    @property
    def key(self) -> str:
        """Names the folder: the same for every account on it."""
        return "/".join([self.root.name, *map(show, self.inside)])

    def real_path(self) -> bytes:
        """Where the folder is on the machine, free of links; absolute links may point below it."""
        return b"/".join([os.fsencode(self.root.folder.resolve()).rstrip(b"/"), *self.inside]) or b"/"

    @contextmanager
    def open(self) -> Iterator[int]:
        """Holds the account's folder; unavailable when the root is not there, permission_denied if `inside` is not."""
        try:
            held = os.open(self.root.folder, _HOLD)
        except FileNotFoundError:
            raise ConnectorError(
                ErrorKind.UNAVAILABLE, f"the folder of root {self.root.name!r} is not there now"
            ) from None
        try:
            for part in self.inside:
                held = self._enter(held, part)
            yield held
        finally:
            os.close(held)

    def _enter(self, held: int, part: bytes) -> int:
        try:
            inner = os.open(part, _HOLD | os.O_NOFOLLOW, dir_fd=held)
        except (FileNotFoundError, NotADirectoryError):
            words = f"root {self.root.name!r} has no folder {show(b'/'.join(self.inside))!r}"
            raise ConnectorError(ErrorKind.PERMISSION_DENIED, words) from None
        os.close(held)
        return inner


def find_grant(settings: Settings, application_id: str, credentials: Mapping[str, str]) -> Grant:
    """The folder that these credentials open for this application.

    - grant_revoked, in the same words, for a root that is not listed and for one that is not this application's.
    - permission_denied when `folder` is no folder name inside the root.
    """
    name = credentials.get("root", "")
    root = settings.roots.get(name)
    if root is None or not root.allows(application_id):
        raise ConnectorError(ErrorKind.GRANT_REVOKED, f"the operator lists no root {name!r} for this application")
    folder = credentials.get("folder", "").strip("/")
    try:
        inside = read_path(f"/{folder}")
    except ConnectorError:
        raise ConnectorError(ErrorKind.PERMISSION_DENIED, f"folder: {folder!r} is no path inside the root") from None
    return Grant(root, inside)
