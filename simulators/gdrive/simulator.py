"""The simulator as the registry holds it."""

from __future__ import annotations

from simulators.core.simulator import Simulator
from simulators.gdrive.app import DEFAULT_SCOPES, build_gdrive
from simulators.gdrive.oauth import AUTHORIZE_PATH, PROVIDER, REVOKE_PATH, TOKEN_PATH

SIMULATOR = Simulator(
    service="gdrive",
    title=PROVIDER,
    build=build_gdrive,
    scopes=DEFAULT_SCOPES,
    authorize_path=AUTHORIZE_PATH,
    token_path=TOKEN_PATH,
    revoke_path=REVOKE_PATH,
)
