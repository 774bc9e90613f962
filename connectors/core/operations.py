"""What stands around every connector: the order of the operation-side layers, in one place."""

from __future__ import annotations

from connectors.core.connector import Connector
from connectors.core.layers.check import CheckingConnector
from connectors.core.layers.context import ContextConnector
from connectors.core.layers.simulate import SimulatingConnector


def build_operations(connector: Connector, *, account_key: str) -> Connector:
    """Check, then simulate, then context, outermost first.

    - check sees what the caller asked, and refuses before any request, also what simulate would only start.
    - simulate builds missing abilities out of the connector's own operations, each of them with
    - context around it, so that an error names the operation that failed at the provider.
    """
    return CheckingConnector(SimulatingConnector(ContextConnector(connector, account_key=account_key)))
