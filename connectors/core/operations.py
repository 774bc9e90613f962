"""What stands around every connector: the order of the operation-side layers, in one place."""

from __future__ import annotations

from connectors.core.connector import Connector
from connectors.core.layers.check import CheckingConnector
from connectors.core.layers.context import ContextConnector
from connectors.core.layers.observe import Observer
from connectors.core.layers.simulate import SimulatingConnector
from connectors.core.layers.walking import WALK_LIMITS, WalkingConnector, WalkLimits
from connectors.core.layers.watch import WatchedConnector


def build_operations(
    connector: Connector,
    *,
    account_key: str,
    walk_limits: WalkLimits = WALK_LIMITS,
    observer: Observer | None = None,
) -> Connector:
    """Check, then walk, then simulate, then watch, then context, outermost first.

    - check sees what the caller asked, and refuses before any request, also what the others would only start.
    - walk looks through whole trees, with
    - simulate, which builds missing abilities out of the connector's own operations, each of them with
    - watch, which tells the observer, if there is one, what is really asked of the provider, and
    - context around it, so that an error names the operation that failed at the provider.
    """
    inner: Connector = ContextConnector(connector, account_key=account_key)
    if observer is not None:
        inner = WatchedConnector(inner, observer=observer)
    simulating = SimulatingConnector(inner)
    return CheckingConnector(WalkingConnector(simulating, limits=walk_limits))
