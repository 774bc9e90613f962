"""Which simulators there are: one line each. The only place that opens an imitated provider's folder."""

from __future__ import annotations

from simulators.dropbox.simulator import SIMULATOR as DROPBOX
from simulators.gdrive.simulator import SIMULATOR as GDRIVE

SIMULATORS = (DROPBOX, GDRIVE)
"""All of them, in the order in which they get their ports."""
