"""The page on which a user of an imitated provider says yes or no to an application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from simulators.core.users import User

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem }}
button {{ font: inherit; padding: .5rem 1.5rem; margin-right: .5rem }}
code {{ word-break: break-all }}
</style></head><body><h1>{title}</h1>
{body}
<p><small>A simulator: no real account is touched.</small></p>
</body></html>"""


def show_consent(
    *,
    provider: str,
    client_name: str,
    scopes: Iterable[str],
    users: Iterable[User],
    asked: Mapping[str, str],
    login_hint: str = "",
) -> Response:
    """Asks which user it is and whether the client may; the form posts `user`, `decision` and all that was asked."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in asked.items()
    )
    people = list(users)
    chosen = next((user for user in people if user.email.casefold() == login_hint.casefold()), people[0])
    options = "".join(
        f'<option value="{user.number}"{" selected" if user is chosen else ""}>'
        f"{escape(user.name)} ({escape(user.email)})</option>"
        for user in people
    )
    wishes = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in sorted(scopes))
    body = (
        f"<p><strong>{escape(client_name)}</strong> wants to use your account:</p><ul>{wishes}</ul>"
        f'<form method="post">{hidden}<p><label>Sign in as <select name="user">{options}</select></label></p>'
        '<button name="decision" value="allow" id="allow">Allow</button>'
        '<button name="decision" value="deny" id="deny">Deny</button></form>'
    )
    return _build_page(f"{provider} simulator", body, 200)


def show_code(*, provider: str, code: str) -> Response:
    """Shows the code to a user whose application has no address to be sent to."""
    body = f'<p>Give this code to the application:</p><p><code id="code">{escape(code)}</code></p>'
    return _build_page(f"{provider} simulator", body, 200)


def show_refusal(*, provider: str, reason: str) -> Response:
    """Says to the user why the application's request is wrong; nobody is redirected anywhere."""
    return _build_page(f"{provider} simulator", f'<p id="error">{escape(reason)}</p>', 400)


def redirect_back(redirect_url: str, answer: Mapping[str, str | None]) -> Response:
    """Sends the user back to the application with the answer in the query, beside what the address has already."""
    parts = urlsplit(redirect_url)
    query = urlencode({name: value for name, value in answer.items() if value is not None})
    together = "&".join(part for part in (parts.query, query) if part)
    return RedirectResponse(urlunsplit(parts._replace(query=together)), status_code=302)


def _build_page(title: str, body: str, status: int) -> Response:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status_code=status, headers=headers)
