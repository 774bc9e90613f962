"""What the suite runs against: a connector with an account to play in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from connectors.core.connector import Connector
from connectors.core.manifest import Capabilities, Limits, Manifest
from connectors.core.operations import build_operations
from connectors.core.resources import PermissionChange
from connectors.core.sharing import Hints, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One connector and one way to set it up.

    - `open` gives a connector as the registry opens it, for an account that is this test's alone or shared; each test
      plays in a new folder of it. The path is a folder of the machine for whatever the set-up needs.
    - `settle_seconds_max` is how long a change may take to be seen by listings.
    - `is_dating_uploads` is false where times that a server made up come with uploads that are under way.
    - `is_repeat` is true where another target is the same but for its luck: cases marked `costly` do not come again.
    - `read_notice` is the service's, where connectors subscribe to notices.
    - `grantee` is somebody whom the provider knows, with the most that they can be given; `stranger` is nobody.
    """

    name: str
    manifest: Manifest
    open: Callable[[Path], AbstractAsyncContextManager[Connector]]
    settle_seconds_max: float = 0.0
    is_dating_uploads: bool = True
    is_repeat: bool = False
    read_notice: Callable[[Notice, str], Hints] | None = None
    grantee: PermissionChange | None = None
    stranger: PermissionChange | None = None

    @property
    def limits(self) -> Limits:
        return self.manifest.limits

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked once it is opened: what the engine adds is offered like what the provider does."""
        declared = SimpleNamespace(manifest=self.manifest, capabilities=self.manifest.capabilities)
        return build_operations(cast("Connector", declared), account_key="").capabilities
