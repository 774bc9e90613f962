"""Signing in: the consent page of accounts.google.com, and the token and revocation endpoints of oauth2.googleapis.com.

https://developers.google.com/identity/protocols/oauth2/web-server
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.core.control import CONTROL_PREFIX
from simulators.core.grants import Client, CodeRequest, OAuthError, Tokens
from simulators.core.signing_in import FORM_BYTES_MAX, SigningIn, read_challenge, read_form
from simulators.core.users import User
from simulators.gdrive.bodies import read_body
from simulators.gdrive.call import get_origin
from simulators.gdrive.description import METHODS
from simulators.gdrive.directory import GROUP_SCOPES, USER_SCOPES
from simulators.gdrive.drive import Drive
from simulators.gdrive.service_accounts import FIRST_NUMBER, GRANT_TYPE

PROVIDER = "Google Drive"
AUTHORIZE_PATH = "/o/oauth2/v2/auth"
REVOKE_PATH = "/revoke"
TOKEN_PATH = "/token"  # noqa: S105 - an address
SCOPE_PREFIX = "https://www.googleapis.com/auth/"
DRIVE_SCOPES = frozenset().union(*(method.scopes for method in METHODS.values()))
IDENTITY_SCOPES = frozenset({"openid", "email", "profile", "userinfo.email", "userinfo.profile"})
KNOWN_SCOPES = DRIVE_SCOPES | USER_SCOPES | GROUP_SCOPES | IDENTITY_SCOPES


def build_oauth_routes(drive: Drive) -> list[Route]:
    """The pages and endpoints of OAuth 2."""
    signing_in = _SigningIn(drive)
    return [
        Route(AUTHORIZE_PATH, signing_in.authorize, methods=["GET", "POST"]),
        Route("/o/oauth2/auth", signing_in.authorize, methods=["GET", "POST"]),
        Route(TOKEN_PATH, signing_in.give_token, methods=["POST"]),
        Route("/oauth2/v4/token", signing_in.give_token, methods=["POST"]),
        Route(REVOKE_PATH, signing_in.revoke, methods=["POST"]),
        Route(f"{CONTROL_PREFIX}/service-accounts", signing_in.create_service_account, methods=["POST"]),
    ]


class _SigningIn(SigningIn):
    provider = PROVIDER

    def __init__(self, drive: Drive) -> None:
        super().__init__(drive.world)
        self._drive = drive

    def read_request(self, asked: dict[str, str], client: Client) -> CodeRequest:
        if asked.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", 'response_type has to be "code".')
        if not asked.get("redirect_uri"):
            raise OAuthError("invalid_request", "redirect_uri is missing.")
        if asked.get("access_type", "online") not in {"online", "offline"}:
            raise OAuthError("invalid_request", 'access_type has to be "online" or "offline".')
        scopes = frozenset(scope.removeprefix(SCOPE_PREFIX) for scope in asked.get("scope", "").split())
        if not scopes:
            raise OAuthError("invalid_request", "scope is missing.")
        unknown = scopes - KNOWN_SCOPES
        if unknown:
            raise OAuthError("invalid_scope", f"There is no scope {', '.join(sorted(unknown))}.")
        challenge, method = read_challenge(asked)
        return CodeRequest(
            client_id=client.client_id,
            redirect_url=asked["redirect_uri"],
            scopes=scopes,
            wants_refresh=asked.get("access_type") == "offline",
            challenge=challenge,
            challenge_method=method,
        )

    def list_users(self) -> Iterable[User]:
        return [user for user in self.world.users if user.number < FIRST_NUMBER]

    def write_scope(self, scope: str) -> str:
        return _write_scope(scope)

    def complete(
        self, code_request: CodeRequest, user: User, asked: dict[str, str]
    ) -> tuple[CodeRequest, dict[str, str]]:
        """A second consent brings no second refresh token, unless the client insists on asking the user again."""
        has_consented = self.world.grants.has_grant(code_request.client_id, user_number=user.number)
        is_new = not has_consented or "consent" in asked.get("prompt", "").split()
        completed = replace(code_request, wants_refresh=code_request.wants_refresh and is_new)
        return completed, {"scope": _write_scopes(code_request.scopes)}

    def exchange(self, request: Request, form: dict[str, str]) -> Tokens:
        """Those of all providers, and a service account's own."""
        if form.get("grant_type") == GRANT_TYPE:
            return self._drive.service_accounts.exchange(
                form.get("assertion", ""),
                token_url=f"{get_origin(request)}{TOKEN_PATH}",
                known_scopes=KNOWN_SCOPES,
                prefix=SCOPE_PREFIX,
            )
        return super().exchange(request, form)

    def describe(self, tokens: Tokens, form: dict[str, str]) -> dict[str, Any]:
        del form
        described: dict[str, Any] = {
            "access_token": tokens.access_token,
            "expires_in": tokens.expires_seconds - 1,
            "scope": _write_scopes(tokens.grant.scopes),
            "token_type": "Bearer",
        }
        return described | ({"refresh_token": tokens.refresh_token} if tokens.refresh_token is not None else {})

    async def create_service_account(self, request: Request) -> Response:
        """The key file of a new service account, {"name": "robot"}."""
        token_url = f"{get_origin(request)}{TOKEN_PATH}"
        try:
            form = json.loads(await read_body(request, FORM_BYTES_MAX) or b"{}")
            return JSONResponse(self._drive.service_accounts.create(str(form["name"]), token_url=token_url))
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    async def revoke(self, request: Request) -> Response:
        """A token of either kind takes the whole consent back."""
        try:
            form = await read_form(request) | dict(request.query_params)
        except OAuthError as error:
            return JSONResponse({"error": error.code}, status_code=400)
        grant = self.world.grants.find_grant(form.get("token", ""))
        if grant is None or grant.is_revoked:
            return JSONResponse({"error": "invalid_token"}, status_code=400)
        grant.is_revoked = True
        return JSONResponse({})


def _write_scope(scope: str) -> str:
    return scope if scope in {"openid", "email", "profile"} else SCOPE_PREFIX + scope


def _write_scopes(scopes: frozenset[str]) -> str:
    return " ".join(sorted(map(_write_scope, scopes)))
