"""Signing in: the consent page of accounts.google.com, and the token and revocation endpoints of oauth2.googleapis.com.

https://developers.google.com/identity/protocols/oauth2/web-server
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.core.consent import redirect_back, show_consent, show_refusal
from simulators.core.control import CONTROL_PREFIX
from simulators.core.faults import FaultKind, take_fault
from simulators.core.grants import Client, CodeRequest, OAuthError, Tokens, check_secret
from simulators.gdrive.bodies import FORM_BYTES_MAX, read_body, read_form
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
CHALLENGE_METHODS = frozenset({"plain", "S256"})


def build_oauth_routes(drive: Drive) -> list[Route]:
    """The pages and endpoints of OAuth 2."""
    oauth = _OAuth(drive)
    return [
        Route(AUTHORIZE_PATH, oauth.authorize, methods=["GET", "POST"]),
        Route("/o/oauth2/auth", oauth.authorize, methods=["GET", "POST"]),
        Route(TOKEN_PATH, oauth.give_token, methods=["POST"]),
        Route("/oauth2/v4/token", oauth.give_token, methods=["POST"]),
        Route(REVOKE_PATH, oauth.revoke, methods=["POST"]),
        Route(f"{CONTROL_PREFIX}/service-accounts", oauth.create_service_account, methods=["POST"]),
    ]


class _OAuth:
    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._grants = drive.world.grants

    async def authorize(self, request: Request) -> Response:
        """GET draws the consent page, POST is the user's answer."""
        asked = dict(request.query_params)
        answer: dict[str, str] = {}
        if request.method == "POST":
            form = await read_form(request)
            answer = {name: form.pop(name) for name in ("user", "decision") if name in form}
            asked |= form
        try:
            client = self._grants.get_client(asked.get("client_id", ""))
            self._grants.check_redirect(client, asked.get("redirect_uri"))
            code_request = _read_request(asked, client)
        except OAuthError as error:
            return show_refusal(provider=PROVIDER, reason=f"{error.code}: {error.description}")
        if not answer:
            return show_consent(
                provider=PROVIDER,
                client_name=client.name,
                scopes=map(_write_scope, code_request.scopes),
                users=[user for user in self._drive.world.users if user.number < FIRST_NUMBER],
                asked=asked,
                login_hint=asked.get("login_hint", ""),
            )
        return self._go_back(code_request, asked, answer)

    def _go_back(self, code_request: CodeRequest, asked: dict[str, str], answer: dict[str, str]) -> Response:
        redirect_url = code_request.redirect_url or ""
        client_state = asked.get("state")
        if answer.get("decision") != "allow":
            return redirect_back(redirect_url, {"error": "access_denied", "state": client_state})
        number = answer.get("user", "")
        user = self._drive.world.users.find(int(number)) if number.isdigit() else None
        if user is None:
            return show_refusal(provider=PROVIDER, reason="There is no such user.")
        # A second consent brings no second refresh token, unless the client insists on asking the user again.
        consent = (code_request.client_id, user.number)
        is_new = consent not in self._drive.consents or "consent" in asked.get("prompt", "").split()
        self._drive.consents.add(consent)
        code = self._grants.allow(
            CodeRequest(
                client_id=code_request.client_id,
                redirect_url=code_request.redirect_url,
                scopes=code_request.scopes,
                wants_refresh=code_request.wants_refresh and is_new,
                challenge=code_request.challenge,
                challenge_method=code_request.challenge_method,
            ),
            user_number=user.number,
        )
        scope = _write_scopes(code_request.scopes)
        return redirect_back(redirect_url, {"state": client_state, "code": code, "scope": scope})

    async def give_token(self, request: Request) -> Response:
        """The grants authorization_code and refresh_token."""
        form = await read_form(request)
        try:
            tokens = self._exchange(request, form)
        except OAuthError as error:
            status = 401 if error.code == "invalid_client" else 400
            return JSONResponse({"error": error.code, "error_description": error.description}, status_code=status)
        return JSONResponse(_describe(tokens), headers={"Cache-Control": "no-store"})

    async def create_service_account(self, request: Request) -> Response:
        """The key file of a new service account, {"name": "robot"}."""
        form = json.loads(await read_body(request, FORM_BYTES_MAX) or b"{}")
        token_url = f"{get_origin(request)}{TOKEN_PATH}"
        try:
            return JSONResponse(self._drive.service_accounts.create(str(form["name"]), token_url=token_url))
        except (KeyError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    async def revoke(self, request: Request) -> Response:
        """A token of either kind takes the whole consent back."""
        form = await read_form(request) | dict(request.query_params)
        grant = self._grants.find_grant(form.get("token", ""))
        if grant is None or grant.is_revoked:
            return JSONResponse({"error": "invalid_token"}, status_code=400)
        grant.is_revoked = True
        self._drive.consents.discard((grant.client_id, grant.user_number))
        return JSONResponse({})

    def _exchange(self, request: Request, form: dict[str, str]) -> Tokens:
        if form.get("grant_type") == GRANT_TYPE:
            return self._drive.service_accounts.exchange(
                form.get("assertion", ""),
                token_url=f"{get_origin(request)}{TOKEN_PATH}",
                known_scopes=KNOWN_SCOPES,
                prefix=SCOPE_PREFIX,
            )
        client_id, secret = _read_basic(request) or (form.get("client_id", ""), form.get("client_secret"))
        client = self._grants.get_client(client_id)
        check_secret(client, secret, has_verifier=False)
        match form.get("grant_type"):
            case "authorization_code":
                return self._grants.exchange(
                    form.get("code", ""),
                    client=client,
                    redirect_url=form.get("redirect_uri"),
                    verifier=form.get("code_verifier"),
                )
            case "refresh_token":
                refresh_token = form.get("refresh_token", "")
                if take_fault(request, FaultKind.ROTATED_TOKEN) is not None:
                    self._grants.rotate_next(refresh_token)
                return self._grants.refresh(refresh_token, client=client)
        raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")


def _describe(tokens: Tokens) -> dict[str, Any]:
    described: dict[str, Any] = {
        "access_token": tokens.access_token,
        "expires_in": tokens.expires_seconds - 1,
        "scope": _write_scopes(tokens.grant.scopes),
        "token_type": "Bearer",
    }
    return described | ({"refresh_token": tokens.refresh_token} if tokens.refresh_token is not None else {})


def _read_request(asked: dict[str, str], client: Client) -> CodeRequest:
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
    method = asked.get("code_challenge_method", "plain")
    if asked.get("code_challenge") is not None and method not in CHALLENGE_METHODS:
        raise OAuthError("invalid_request", 'code_challenge_method has to be "S256" or "plain".')
    return CodeRequest(
        client_id=client.client_id,
        redirect_url=asked["redirect_uri"],
        scopes=scopes,
        wants_refresh=asked.get("access_type") == "offline",
        challenge=asked.get("code_challenge"),
        challenge_method=method,
    )


def _write_scope(scope: str) -> str:
    return scope if scope in {"openid", "email", "profile"} else SCOPE_PREFIX + scope


def _write_scopes(scopes: frozenset[str]) -> str:
    return " ".join(sorted(map(_write_scope, scopes)))


def _read_basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return client_id, secret
