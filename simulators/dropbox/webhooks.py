"""Notifications to applications: that something changed for some accounts, and nothing more.

https://www.dropbox.com/developers/reference/webhooks
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets

from simulators.dropbox.journal import Change
from simulators.dropbox.state import State, build_account_id

GATHER_SECONDS = 0.05
"""Changes in quick succession become one notification."""


class Webhooks:
    """Listens to the journal, and tells the clients' addresses."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending: dict[str, set[int]] = {}
        state.space.journal.listeners.append(self._hear)

    async def subscribe(self, client_id: str, url: str) -> bool:
        """Asks the address to echo a challenge; from then on it is told. False if it does not."""
        challenge = secrets.token_urlsafe(24)
        reply = await self._state.world.notices.ask(url, params={"challenge": challenge})
        if reply is None or reply.status_code != 200 or reply.text != challenge:  # noqa: PLR2004 - OK
            return False
        self._state.webhooks[client_id] = url
        return True

    def _hear(self, change: Change) -> None:
        for client_id in self._state.webhooks:
            concerned = {
                number
                for number in change.namespace.members
                if self._state.world.grants.has_grant(client_id, user_number=number)
            }
            if not concerned:
                continue
            if client_id not in self._pending:
                self._pending[client_id] = set()
                asyncio.get_running_loop().call_later(GATHER_SECONDS, self._tell, client_id)
            self._pending[client_id] |= concerned

    def _tell(self, client_id: str) -> None:
        users = [self._state.world.users.get(number) for number in sorted(self._pending.pop(client_id))]
        content = {
            "list_folder": {"accounts": [build_account_id(user) for user in users]},
            "delta": {"users": [user.number for user in users]},
        }
        body = json.dumps(content).encode()
        secret = self._state.world.grants.get_client(client_id).client_secret
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Dropbox-Signature": signature, "Content-Type": "application/json"}
        self._state.world.notices.post(self._state.webhooks[client_id], body=body, headers=headers)
