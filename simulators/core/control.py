"""The simulator's own pages, below /simulator: whoever runs it makes time pass, things fail, tokens die.

    GET    /simulator           what there is and what happened
    POST   /simulator/clock     {"advance_seconds": 14400}
    POST   /simulator/faults    {"kind": "rate_limited", "seconds": 2, "path": "upload", "times": 1}, see faults.py
    POST   /simulator/chance    {"seed": 7, "every": 3, "kinds": ["rate_limited", "unavailable"], "path": "/2/"}
    POST   /simulator/budget    {"requests_max": 60, "seconds": 60, "path": "/2/"}: of each token, then 429
    DELETE /simulator/faults    all goes well again
    POST   /simulator/users     {"number": 4, "email": …, "given_name": …, "surname": …}
    POST   /simulator/tokens    {"user": 1, "client_id": …, "scopes": […]}: tokens without a consent page
    POST   /simulator/revoke    {"user": 1}: the user disconnects all applications

There is no protection: a simulator holds nothing but what was made up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.core.asking import read_budget, read_chance, read_rule, read_user
from simulators.core.grants import Grant, OAuthError
from simulators.core.world import SANDBOX_CLIENT, World

CONTROL_PREFIX = "/simulator"
CONTROL_BYTES_MAX = 1024 * 1024


def build_control_routes(world: World, *, provider: str, scopes: frozenset[str]) -> list[Route]:
    """The pages; `scopes` is what a token has that is asked for without any."""
    control = _Control(world, provider, scopes)
    pages: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
        ("clock", "POST", control.advance),
        ("faults", "POST", control.add_fault),
        ("chance", "POST", control.set_chance),
        ("budget", "POST", control.set_budget),
        ("faults", "DELETE", control.clear_faults),
        ("users", "POST", control.add_user),
        ("tokens", "POST", control.issue_tokens),
        ("revoke", "POST", control.revoke),
    ]
    return [
        Route(CONTROL_PREFIX, _answer(lambda _: control.describe()), methods=["GET"]),
        *(Route(f"{CONTROL_PREFIX}/{page}", _answer(call), methods=[method]) for page, method, call in pages),
    ]


class _Control:
    def __init__(self, world: World, provider: str, scopes: frozenset[str]) -> None:
        self._world = world
        self._provider = provider
        self._scopes = scopes

    def describe(self) -> dict[str, Any]:
        return {
            "provider": self._provider,
            "now": self._world.clock.now().isoformat(),
            "users": [{"number": user.number, "email": user.email, "name": user.name} for user in self._world.users],
            "faults_done": dict(self._world.faults.counts),
            "refresh_count": self._world.grants.refresh_count,
            "deliveries": [{"url": one.url, "status": one.status} for one in self._world.notices.deliveries],
        }

    def advance(self, data: dict[str, Any]) -> dict[str, Any]:
        self._world.clock.advance(float(data["advance_seconds"]))
        return self.describe()

    def add_fault(self, data: dict[str, Any]) -> dict[str, Any]:
        self._world.faults.add(read_rule(data))
        return self.describe()

    def set_chance(self, data: dict[str, Any]) -> dict[str, Any]:
        self._world.faults.chance = read_chance(data)
        return self.describe()

    def set_budget(self, data: dict[str, Any]) -> dict[str, Any]:
        self._world.faults.budget = read_budget(data)
        return self.describe()

    def clear_faults(self, _: dict[str, Any]) -> dict[str, Any]:
        self._world.faults.clear()
        return self.describe()

    def add_user(self, data: dict[str, Any]) -> dict[str, Any]:
        self._world.users.add(read_user(data))
        return self.describe()

    def issue_tokens(self, data: dict[str, Any]) -> dict[str, Any]:
        user = self._world.users.get(int(data["user"]))
        client = self._world.grants.get_client(data.get("client_id", SANDBOX_CLIENT.client_id))
        scopes = frozenset(data.get("scopes", self._scopes))
        grant = Grant(client_id=client.client_id, user_number=user.number, scopes=scopes)
        tokens = self._world.grants.issue(grant)
        return {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "expires_in": tokens.expires_seconds,
        }

    def revoke(self, data: dict[str, Any]) -> dict[str, Any]:
        self._world.grants.revoke_user(int(data["user"]))
        return self.describe()


def _answer(call: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if int(request.headers.get("content-length", "0")) > CONTROL_BYTES_MAX:
            return JSONResponse({"error": f"more than {CONTROL_BYTES_MAX} bytes"}, status_code=413)
        try:
            data = await request.json() if request.method == "POST" else {}
            return JSONResponse(call(data))
        except (KeyError, TypeError, ValueError, OAuthError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return endpoint
