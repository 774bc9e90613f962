"""The pages that people see: small, nothing in them comes from elsewhere, and only what a page names may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from app.core.errors import ApiError, ErrorCode

TEMPLATES = Path(__file__).with_name("templates")
HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
"""Of pages whose address is a secret, which must not travel on."""

TITLES = {
    ErrorCode.NOT_FOUND: "Nothing here",
    ErrorCode.TOO_MANY_REQUESTS: "Too many tries",
}
TITLE = "That did not work"

_style = (TEMPLATES / "page.css").read_text()


def hash_inline(text: str) -> str:
    """An inline style or script as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class Pages:
    """The pages of one module, from its templates, which build upon `page.html`."""

    def __init__(self, templates: Path, *, titles: Mapping[ErrorCode, str] | None = None) -> None:
        self._titles = TITLES | dict(titles or {})
        self._environment = Environment(
            loader=FileSystemLoader([templates, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )

    def build(
        self,
        template: str,
        *,
        status: int = 200,
        form_targets: Sequence[str] = (),
        script: str | None = None,
        has_images: bool = False,
        is_framable: bool = False,
        **values: object,
    ) -> Response:
        """A page that nobody may keep, nor show inside another unless it is framable.

        `form_targets` are where its forms may end beside here, `script` is the one script that it runs; images are
        ours.
        """
        policy = [
            "default-src 'none'",
            f"style-src {hash_inline(_style)}",
            " ".join(("form-action 'self'", *form_targets)),
            "base-uri 'none'",
        ]
        headers = {**HEADERS, "Cache-Control": "no-store"}
        if not is_framable:
            policy.append("frame-ancestors 'none'")
            headers["X-Frame-Options"] = "DENY"
        if script is not None:
            policy.append(f"script-src {hash_inline(script)}")
        if has_images:
            policy.append("img-src 'self'")
        html = self._environment.get_template(template).render(
            style=Markup(_style),  # noqa: S704 - our own file
            script=Markup(script or ""),  # noqa: S704 - our own, too
            **values,
        )
        headers["Content-Security-Policy"] = "; ".join(policy)
        return Response(html, status_code=status, media_type="text/html", headers=headers)

    def build_refusal(self, error: ApiError) -> Response:
        """Why there is nothing to see."""
        title = self._titles.get(error.code, TITLE)
        page = self.build("refusal.html", status=error.code.status, title=title, message=error.message)
        page.headers.update(error.headers or {})
        return page
