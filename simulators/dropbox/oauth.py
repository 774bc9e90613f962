"""Signing in: the consent page of www.dropbox.com and the token endpoint of api.dropboxapi.com.

https://developers.dropbox.com/oauth-guide
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from simulators.core.grants import Client, CodeRequest, OAuthError, Tokens
from simulators.core.signing_in import SigningIn, read_basic, read_challenge
from simulators.core.users import User
from simulators.dropbox.scopes import DEFAULT_SCOPES, OPENID_SCOPES, TEAM_SCOPES, USER_SCOPES
from simulators.dropbox.state import State, build_account_id, build_team_id

PROVIDER = "Dropbox"
AUTHORIZE_PATH = "/oauth2/authorize"
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - an address
ACCESS_TYPES = frozenset({"", "online", "offline", "legacy"})


def build_oauth_routes(state: State) -> list[Route]:
    """The pages and endpoints of OAuth 2."""
    signing_in = _SigningIn(state.world)
    return [
        Route(AUTHORIZE_PATH, signing_in.authorize, methods=["GET", "POST"]),
        Route(TOKEN_PATH, signing_in.give_token, methods=["POST"]),
    ]


class _SigningIn(SigningIn):
    provider = PROVIDER
    denial = SigningIn.denial | {"error_description": "The user said no."}

    def read_request(self, asked: dict[str, str], client: Client) -> CodeRequest:
        if asked.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", 'response_type has to be "code".')
        if asked.get("token_access_type", "") not in ACCESS_TYPES:
            raise OAuthError("invalid_request", 'token_access_type has to be "online" or "offline".')
        scopes = frozenset(asked.get("scope", "").split()) or DEFAULT_SCOPES
        unknown = scopes - USER_SCOPES - TEAM_SCOPES - OPENID_SCOPES
        if unknown:
            raise OAuthError("invalid_scope", f"There is no scope {', '.join(sorted(unknown))}.")
        challenge, method = read_challenge(asked)
        return CodeRequest(
            client_id=client.client_id,
            redirect_url=asked.get("redirect_uri"),
            scopes=scopes,
            wants_refresh=asked.get("token_access_type") == "offline",
            challenge=challenge,
            challenge_method=method,
        )

    def complete(
        self, code_request: CodeRequest, user: User, asked: dict[str, str]
    ) -> tuple[CodeRequest, dict[str, str]]:
        if code_request.scopes & TEAM_SCOPES and not user.is_admin:
            raise OAuthError("access_denied", "Only an admin of the team may allow this.")
        return super().complete(code_request, user, asked)

    def is_secret_needed(self, form: dict[str, str]) -> bool:
        """With a code that has a verifier, and a client that got its token so, there may be none to show."""
        return form.get("grant_type") == "authorization_code" and form.get("code_verifier") is None

    def choose_status(self, request: Request, error: OAuthError) -> int:
        return 401 if error.code == "invalid_client" and read_basic(request) else 400

    def describe(self, tokens: Tokens, form: dict[str, str]) -> dict[str, Any]:
        described: dict[str, Any] = {
            "access_token": tokens.access_token,
            "token_type": "bearer",
            "expires_in": tokens.expires_seconds,
        }
        if tokens.refresh_token is not None:
            described["refresh_token"] = tokens.refresh_token
        if form.get("grant_type") == "refresh_token":
            return described
        user = self.world.users.get(tokens.grant.user_number)
        described |= {"scope": " ".join(sorted(tokens.grant.scopes)), "uid": str(user.number)}
        if tokens.grant.scopes & TEAM_SCOPES and user.team is not None:
            return described | {"team_id": build_team_id(user.team)}
        return described | {"account_id": build_account_id(user)}
