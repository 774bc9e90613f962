"""The pages of the journey: which service, whose account, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from starlette.responses import Response

from app.applications.addresses import DEFAULT_PORTS
from app.catalog.endpoints import LOGOS_PATH
from app.connect.service import Result, Visit
from app.connect.wishes import ReturnPath
from app.core.errors import ApiError, ErrorCode
from app.core.http.pages import Pages
from connectors.core.manifest import Manifest

PREFIX = "/v1/oauth"
TEMPLATES = Path(__file__).with_name("templates")
MESSAGE_PREFIX = "kloudless:"
VALUE_CHARACTERS_MAX = 16_384

_pages = Pages(TEMPLATES, titles={ErrorCode.NOT_FOUND: "This page has ended", ErrorCode.FORBIDDEN: "This may not be"})
_script = (TEMPLATES / "message.js").read_text()


def build_refusal_page(error: ApiError) -> Response:
    """Why the journey cannot go on."""
    return _pages.build_refusal(error)


def build_services_page(visit: Visit, path: str, manifests: Sequence[Manifest]) -> Response:
    """A choice of services."""
    return _pages.build(
        "services.html",
        form_targets=_list_targets(visit.wishes.back),
        has_images=True,
        application=visit.application_name,
        path=path,
        services=[(each.service, each.title, f"{LOGOS_PATH}/{each.category}.svg") for each in manifests],
    )


def build_credentials_page(
    visit: Visit, path: str, manifest: Manifest, *, values: Mapping[str, str], problems: Mapping[str, str] | None = None
) -> Response:
    """A form with the fields that the service declares. `problems` says at a field, or "" for all, what is wrong."""
    problems = problems or {}
    return _pages.build(
        "credentials.html",
        status=ErrorCode.INVALID_PARAMETERS.status if problems else 200,
        form_targets=_list_targets(visit.wishes.back),
        has_images=True,
        application=visit.application_name,
        path=path,
        service=manifest.service,
        title=manifest.title,
        logo=f"{LOGOS_PATH}/{manifest.category}.svg",
        fields=manifest.auth.fields,
        values={field.name: values.get(field.name, "") for field in manifest.auth.fields if not field.is_secret},
        problems=problems,
        has_choice=len(visit.wishes.services) > 1,
        characters_max=VALUE_CHARACTERS_MAX,
    )


def build_message_page(back: ReturnPath, data: Mapping[str, str | None], *, title: str, text: str) -> Response:
    """Tells the page that opened this window how it ended (contract 2.2); to nobody but pages of its origin."""
    message = {"type": "authentication", "id": back.request_id, "data": data}
    return _pages.build(
        "message.html",
        script=_script,
        is_framable=True,
        title=title,
        text=text,
        message=MESSAGE_PREFIX + msgspec.json.encode(message).decode(),
        origin=back.origin,
    )


def build_secret_page(back: ReturnPath, result: Result) -> Response:
    """Shows a code or token to be copied, and which account it is for."""
    kind = "code" if back.response_type == "code" else "token"
    return _pages.build("secret.html", kind=kind, secret=result.secret, account=result.account)


def _list_targets(back: ReturnPath) -> list[str]:
    """Where a form of ours may lead in the end: browsers look at redirects, too."""
    if back.is_out_of_band:
        return []
    parts = urlsplit(back.redirect_uri)
    return [f"{parts.scheme}://{parts.netloc}" if parts.scheme in DEFAULT_PORTS else f"{parts.scheme}:"]
