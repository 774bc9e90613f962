"""The simulator as the registry holds it."""

from __future__ import annotations

from simulators.core.simulator import Simulator
from simulators.dropbox.app import build_dropbox
from simulators.dropbox.oauth import AUTHORIZE_PATH, PROVIDER, TOKEN_PATH
from simulators.dropbox.scopes import DEFAULT_SCOPES

SIMULATOR = Simulator(
    service="dropbox",
    title=PROVIDER,
    build=build_dropbox,
    scopes=DEFAULT_SCOPES,
    authorize_path=AUTHORIZE_PATH,
    token_path=TOKEN_PATH,
    revoke_path="/2/auth/token/revoke",
)
