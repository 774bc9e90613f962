"""What an application asks for when it sends somebody to connect an account (contract 2.1), read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from app.accounts.clients import explain_missing_client
from app.accounts.scopes import SCOPES_CHARACTERS_MAX, select_services
from app.applications.addresses import OUT_OF_BAND, URI_CHARACTERS_MAX, reduce_host
from app.core.errors import ApiError, ErrorCode
from app.core.http.reading import check_json, check_text
from connectors.core.manifest import Manifest

ECHO_CHARACTERS_MAX = 4000
JSON_CHARACTERS_MAX = 10_000
RAW_COUNT_MAX = 20
RAW_CHARACTERS_MAX = 1000
FORM_DATA = ("form_data", "extra_data")  # the newer name and the older

_RAW = re.compile(r"raw\[(?P<name>[A-Za-z0-9_.-]{1,64})\]")


class ReturnPath(Struct, frozen=True, kw_only=True):
    """How a result goes back to the application.

    Without an `origin` a result out of band stays on the page, to be copied.
    """

    response_type: Literal["code", "token"]
    redirect_uri: str
    state: str | None = None
    origin: str | None = None
    request_id: str | None = None

    @property
    def is_out_of_band(self) -> bool:
        """It stays in the window that we show."""
        return self.redirect_uri == OUT_OF_BAND


class Wishes(Struct, frozen=True, kw_only=True):
    """All that a journey needs to know.

    `services` are those to choose from, `form_data` what to fill in already, `raw` what the provider's page is told.
    """

    back: ReturnPath
    scope: str
    services: list[str]
    form_data: dict[str, str]
    custom_properties: dict[str, Any] | None
    raw: dict[str, str] = {}


class WishError(Exception):
    """Told to the application: `code` is one of RFC 6749, section 4.1.2.1."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def read_return_path(query: Mapping[str, str]) -> ReturnPath:
    """Where the result is to go. ApiError 400 for what can be told to nobody but the person at the browser.

    Of another response_type nothing can come but an error; that goes where a code would.
    """
    response_type = query.get("response_type") or ""
    redirect_uri = query.get("redirect_uri") or ""
    if not redirect_uri and response_type == "token":
        redirect_uri = OUT_OF_BAND
    if not redirect_uri or len(redirect_uri) > URI_CHARACTERS_MAX:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "The application did not say where to send you back to.")
    texts = {}
    for name in ("state", "request_id"):
        texts[name] = query.get(name)
        _check(name, texts[name] or "", ECHO_CHARACTERS_MAX)
    origin = query.get("origin") or None if redirect_uri == OUT_OF_BAND else None
    return ReturnPath(
        response_type="token" if response_type == "token" else "code",
        redirect_uri=redirect_uri,
        origin=None if origin is None else _read_origin(origin),
        **texts,
    )


def read_wishes(
    query: Mapping[str, str], back: ReturnPath, manifests: Sequence[Manifest], missing_clients: Iterable[str] = ()
) -> Wishes:
    """The rest; WishError says what the application has to mend.

    `manifests` are what people may connect, `missing_clients` the services that they might if an OAuth client were set.
    """
    response_type = query.get("response_type")
    if response_type != back.response_type:
        code = "unsupported_response_type" if response_type else "invalid_request"
        raise WishError(code, "The application's response_type must be code or token.")
    scope = query.get("scope") or ""
    try:
        _check("scope", scope, SCOPES_CHARACTERS_MAX)
        services = select_services(scope, [manifest.service for manifest in manifests])
    except ApiError as error:
        raise WishError("invalid_scope", error.message) from None
    except ValueError as error:
        raise WishError("invalid_scope", str(error)) from None
    if not services:
        reasons = "".join(f"; {explain_missing_client(name)}" for name in select_services(scope, missing_clients))
        raise WishError("invalid_scope", f"No service that is offered here fits the scope {scope!r}{reasons}.")
    fields = {
        field.name
        for manifest in manifests
        if manifest.service in services
        for field in manifest.auth.fields
        if not field.is_secret  # what stands in an address is no secret, and is not spread further
    }
    given: dict[str, Any] = {}
    for name in reversed(FORM_DATA):
        given |= _read_object(query, name) or {}
    return Wishes(
        back=back,
        scope=scope,
        services=services,
        form_data={name: value for name, value in given.items() if name in fields and isinstance(value, str)},
        custom_properties=_read_object(query, "custom_properties"),
        raw=_read_raw(query),
    )


def _read_raw(query: Mapping[str, str]) -> dict[str, str]:
    """The parameters `raw[name]`."""
    found = {match["name"]: value for name, value in query.items() if (match := _RAW.fullmatch(name))}
    if len(found) > RAW_COUNT_MAX:
        raise WishError("invalid_request", f"There are more than {RAW_COUNT_MAX} raw parameters.")
    for name, value in found.items():
        _check(f"raw[{name}]", value, RAW_CHARACTERS_MAX)
    return found


def _read_object(query: Mapping[str, str], name: str) -> dict[str, Any] | None:
    text = query.get(name) or ""
    if not text:
        return None
    try:
        if len(text) > JSON_CHARACTERS_MAX:
            raise ValueError(f"is longer than {JSON_CHARACTERS_MAX} characters")  # noqa: TRY301 - one way out
        value = check_json(msgspec.json.decode(text, type=dict[str, Any]))
    except (msgspec.DecodeError, RecursionError):
        raise WishError("invalid_request", f"{name} must be a JSON object.") from None
    except ValueError as error:
        raise WishError("invalid_request", f"{name} {error}.") from None
    return dict(value)


def _read_origin(text: str) -> str:
    """The origin of a page, as browsers write it."""
    parts = urlsplit(text) if len(text) <= URI_CHARACTERS_MAX else urlsplit("")
    try:
        host = reduce_host(text)
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"}:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "The application's origin must look like https://example.com.")
    return f"{parts.scheme}://{host}"


def _check(name: str, text: str, characters_max: int) -> None:
    try:
        check_text(text)
    except ValueError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{name} {error}.") from None
    if len(text) > characters_max:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{name} is longer than {characters_max} characters.")
