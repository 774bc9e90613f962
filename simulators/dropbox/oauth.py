"""Signing in: the consent page of www.dropbox.com and the token endpoint of api.dropboxapi.com.

https://developers.dropbox.com/oauth-guide
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.core.consent import redirect_back, show_code, show_consent, show_refusal
from simulators.core.faults import FaultKind, take_fault
from simulators.core.grants import Client, CodeRequest, OAuthError, Tokens, check_secret
from simulators.dropbox.credentials import read_basic
from simulators.dropbox.scopes import DEFAULT_SCOPES, OPENID_SCOPES, TEAM_SCOPES, USER_SCOPES
from simulators.dropbox.state import State, build_account_id, build_team_id

PROVIDER = "Dropbox"
AUTHORIZE_PATH = "/oauth2/authorize"
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - an address
FORM_BYTES_MAX = 64 * 1024
ACCESS_TYPES = frozenset({"", "online", "offline", "legacy"})
CHALLENGE_METHODS = frozenset({"plain", "S256"})


def build_oauth_routes(state: State) -> list[Route]:
    """The pages and endpoints of OAuth 2."""
    oauth = _OAuth(state)
    return [
        Route(AUTHORIZE_PATH, oauth.authorize, methods=["GET", "POST"]),
        Route(TOKEN_PATH, oauth.give_token, methods=["POST"]),
    ]


class _OAuth:
    def __init__(self, state: State) -> None:
        self._state = state
        self._grants = state.world.grants

    async def authorize(self, request: Request) -> Response:
        """GET draws the consent page, POST is the user's answer."""
        asked = dict(request.query_params)
        answer: dict[str, str] = {}
        if request.method == "POST":
            form = await _read_form(request)
            answer = {name: form.pop(name) for name in ("user", "decision") if name in form}
            asked |= form
        try:
            client = self._grants.get_client(asked.get("client_id", ""))
            self._grants.check_redirect(client, asked.get("redirect_uri"))
            code_request = _read_request(asked, client)
        except OAuthError as error:
            return show_refusal(provider=PROVIDER, reason=error.description)
        if not answer:
            return show_consent(
                provider=PROVIDER,
                client_name=client.name,
                scopes=code_request.scopes,
                users=self._state.world.users,
                asked=asked,
                login_hint=asked.get("login_hint", ""),
            )
        return self._go_back(code_request, asked.get("state"), answer)

    def _go_back(self, code_request: CodeRequest, client_state: str | None, answer: dict[str, str]) -> Response:
        redirect_url = code_request.redirect_url
        if answer.get("decision") != "allow":
            refusal = {"error": "access_denied", "error_description": "The user said no.", "state": client_state}
            if redirect_url is None:
                return show_refusal(provider=PROVIDER, reason="You said no.")
            return redirect_back(redirect_url, refusal)
        number = answer.get("user", "")
        user = self._state.world.users.find(int(number)) if number.isdigit() else None
        if user is None:
            return show_refusal(provider=PROVIDER, reason="There is no such user.")
        if code_request.scopes & TEAM_SCOPES and not user.is_admin:
            return show_refusal(provider=PROVIDER, reason="Only an admin of the team may allow this.")
        code = self._grants.allow(code_request, user_number=user.number)
        if redirect_url is None:
            return show_code(provider=PROVIDER, code=code)
        return redirect_back(redirect_url, {"code": code, "state": client_state})

    async def give_token(self, request: Request) -> Response:
        """The grants authorization_code and refresh_token."""
        form = await _read_form(request)
        try:
            tokens = self._exchange(request, form)
        except OAuthError as error:
            status = 401 if error.code == "invalid_client" and read_basic(request) else 400
            content = {"error": error.code, "error_description": error.description}
            return JSONResponse(content, status_code=status)
        return JSONResponse(self._describe(tokens, form), headers={"Cache-Control": "no-store"})

    def _exchange(self, request: Request, form: dict[str, str]) -> Tokens:
        basic = read_basic(request)
        client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret"))
        client = self._grants.get_client(client_id)
        kind = form.get("grant_type")
        if kind == "authorization_code":
            verifier = form.get("code_verifier")
            check_secret(client, secret, has_verifier=verifier is not None)
            return self._grants.exchange(
                form.get("code", ""), client=client, redirect_url=form.get("redirect_uri"), verifier=verifier
            )
        if kind == "refresh_token":
            # A client that got its token with PKCE has no secret to show when it refreshes.
            check_secret(client, secret, has_verifier=True)
            refresh_token = form.get("refresh_token", "")
            if take_fault(request, FaultKind.ROTATED_TOKEN) is not None:
                self._grants.rotate_next(refresh_token)
            return self._grants.refresh(refresh_token, client=client)
        raise OAuthError("unsupported_grant_type", f"grant_type is {kind!r}.")

    def _describe(self, tokens: Tokens, form: dict[str, str]) -> dict[str, Any]:
        described: dict[str, Any] = {
            "access_token": tokens.access_token,
            "token_type": "bearer",
            "expires_in": tokens.expires_seconds,
        }
        if tokens.refresh_token is not None:
            described["refresh_token"] = tokens.refresh_token
        if form.get("grant_type") == "refresh_token":
            return described
        user = self._state.world.users.get(tokens.grant.user_number)
        described |= {"scope": " ".join(sorted(tokens.grant.scopes)), "uid": str(user.number)}
        if tokens.grant.scopes & TEAM_SCOPES and user.team is not None:
            return described | {"team_id": build_team_id(user.team)}
        return described | {"account_id": build_account_id(user)}


def _read_request(asked: dict[str, str], client: Client) -> CodeRequest:
    if asked.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", 'response_type has to be "code".')
    if asked.get("token_access_type", "") not in ACCESS_TYPES:
        raise OAuthError("invalid_request", 'token_access_type has to be "online" or "offline".')
    scopes = frozenset(asked.get("scope", "").split()) or DEFAULT_SCOPES
    unknown = scopes - USER_SCOPES - TEAM_SCOPES - OPENID_SCOPES
    if unknown:
        raise OAuthError("invalid_scope", f"There is no scope {', '.join(sorted(unknown))}.")
    challenge = asked.get("code_challenge")
    method = asked.get("code_challenge_method", "plain")
    if challenge is not None and method not in CHALLENGE_METHODS:
        raise OAuthError("invalid_request", 'code_challenge_method has to be "S256" or "plain".')
    return CodeRequest(
        client_id=client.client_id,
        redirect_url=asked.get("redirect_uri"),
        scopes=scopes,
        wants_refresh=asked.get("token_access_type") == "offline",
        challenge=challenge,
        challenge_method=method,
    )


async def _read_form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk[: FORM_BYTES_MAX - len(body)]
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
