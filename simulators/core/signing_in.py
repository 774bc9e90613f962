"""Signing in at an imitated provider: the page of consent, and the endpoint that gives tokens for codes and tokens.

What all providers do is here; each says how it differs.
"""

from __future__ import annotations

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators.core.consent import redirect_back, show_code, show_consent, show_refusal
from simulators.core.faults import FaultKind, take_fault
from simulators.core.grants import Client, CodeRequest, OAuthError, Tokens, check_secret
from simulators.core.users import User
from simulators.core.world import World

FORM_BYTES_MAX = 64 * 1024
CHALLENGE_METHODS = frozenset({"plain", "S256"})


class SigningIn(ABC):
    """One provider's."""

    provider: ClassVar[str]
    denial: ClassVar[dict[str, str]] = {"error": "access_denied"}

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def read_request(self, asked: dict[str, str], client: Client) -> CodeRequest:
        """What the page is asked for; OAuthError says what is wrong with it."""

    @abstractmethod
    def describe(self, tokens: Tokens, form: dict[str, str]) -> dict[str, Any]:
        """Tokens as this provider tells them to whoever sent the form."""

    def list_users(self) -> Iterable[User]:
        """Who can sign in."""
        return self.world.users

    def write_scope(self, scope: str) -> str:
        """A scope as people see it."""
        return scope

    def complete(
        self, code_request: CodeRequest, user: User, asked: dict[str, str]
    ) -> tuple[CodeRequest, dict[str, str]]:
        """What is allowed in the end, and what the address says beside the code; OAuthError if this user may not."""
        del user, asked
        return code_request, {}

    def is_secret_needed(self, form: dict[str, str]) -> bool:
        """Must the client show its secret here?"""
        del form
        return True

    def choose_status(self, request: Request, error: OAuthError) -> int:
        """The status of a refusal of the token endpoint."""
        del request
        return 401 if error.code == "invalid_client" else 400

    def exchange(self, request: Request, form: dict[str, str]) -> Tokens:
        """The grants authorization_code and refresh_token."""
        client_id, secret = read_basic(request) or (form.get("client_id", ""), form.get("client_secret"))
        client = self.world.grants.get_client(client_id)
        check_secret(client, secret, has_verifier=not self.is_secret_needed(form))
        match form.get("grant_type"):
            case "authorization_code":
                return self.world.grants.exchange(
                    form.get("code", ""),
                    client=client,
                    redirect_url=form.get("redirect_uri"),
                    verifier=form.get("code_verifier"),
                )
            case "refresh_token":
                refresh_token = form.get("refresh_token", "")
                if take_fault(request, FaultKind.ROTATED_TOKEN) is not None:
                    self.world.grants.rotate_next(refresh_token)
                return self.world.grants.refresh(refresh_token, client=client)
        raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")

    async def authorize(self, request: Request) -> Response:
        """GET draws the consent page, POST is the user's answer."""
        asked = dict(request.query_params)
        answer: dict[str, str] = {}
        try:
            if request.method == "POST":
                form = await read_form(request)
                answer = {name: form.pop(name) for name in ("user", "decision") if name in form}
                asked |= form
            client = self.world.grants.get_client(asked.get("client_id", ""))
            self.world.grants.check_redirect(client, asked.get("redirect_uri"))
            code_request = self.read_request(asked, client)
            if answer:
                return self._go_back(code_request, asked, answer)
        except OAuthError as error:
            return show_refusal(provider=self.provider, reason=f"{error.code}: {error.description}")
        return show_consent(
            provider=self.provider,
            client_name=client.name,
            scopes=map(self.write_scope, code_request.scopes),
            users=self.list_users(),
            asked=asked,
            login_hint=asked.get("login_hint", ""),
        )

    def _go_back(self, code_request: CodeRequest, asked: dict[str, str], answer: dict[str, str]) -> Response:
        redirect_url, state = code_request.redirect_url, asked.get("state")
        if answer.get("decision") != "allow":
            if redirect_url is None:
                return show_refusal(provider=self.provider, reason="You said no.")
            return redirect_back(redirect_url, {**self.denial, "state": state})
        number = answer.get("user", "")
        user = self.world.users.find(int(number)) if number.isdigit() else None
        if user is None:
            return show_refusal(provider=self.provider, reason="There is no such user.")
        code_request, told = self.complete(code_request, user, asked)
        code = self.world.grants.allow(code_request, user_number=user.number)
        if redirect_url is None:
            return show_code(provider=self.provider, code=code)
        return redirect_back(redirect_url, {"state": state, "code": code, **told})

    async def give_token(self, request: Request) -> Response:
        """Tokens, or a refusal as RFC 6749 names it."""
        try:
            form = await read_form(request)
            tokens = self.exchange(request, form)
        except OAuthError as error:
            content = {"error": error.code, "error_description": error.description}
            return JSONResponse(content, status_code=self.choose_status(request, error))
        return JSONResponse(self.describe(tokens, form), headers={"Cache-Control": "no-store"})


def read_basic(request: Request) -> tuple[str, str] | None:
    """A client's id and secret from an Authorization header of the kind Basic; None if there is no such header."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return client_id, secret


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; of those that come twice the last. OAuthError if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise OAuthError("invalid_request", "The form is too large.")
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def read_challenge(asked: Mapping[str, str]) -> tuple[str | None, str]:
    """The challenge of PKCE and its method; OAuthError for a method that there is not."""
    method = asked.get("code_challenge_method", "plain")
    if asked.get("code_challenge") is not None and method not in CHALLENGE_METHODS:
        raise OAuthError("invalid_request", 'code_challenge_method has to be "S256" or "plain".')
    return asked.get("code_challenge"), method
