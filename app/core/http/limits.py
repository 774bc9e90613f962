"""Limits on callers, at a request: who is over one gets 429 with the time to wait; every reply says how much is left.

The reply's fields are those of the IETF's draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` with the quota
(q) that a caller may use at once and the window (w) in seconds in which all of it comes back, `RateLimit` with what
remains (r) and the seconds until it is whole again (t). Each process counts for itself.
"""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

from app.core.errors import ApiError, ErrorCode
from app.core.http.replies import get_request_state
from app.core.limiting import TokenBuckets
from app.core.state import get_state
from app.core.tokens import hash_token

PARALLEL_RETRY_AFTER_SECONDS = 1
IPV6_PREFIX_BITS = 64  # one customer's network has that many addresses


def admit_application(request: Request, application_id: str) -> None:
    """Counts a request of an application, or of a developer under a name of its own. ApiError 429."""
    _admit(request, get_state(request).limits.applications, application_id, "application")


def admit_account(request: Request, account_id: int) -> None:
    """Counts a request of an account. ApiError 429."""
    _admit(request, get_state(request).limits.accounts, account_id, "account")


def _admit(request: Request, buckets: TokenBuckets | None, name: str | int, what: str) -> None:
    if buckets is None:
        return
    wait_seconds, left = buckets.take(name)
    state = get_request_state(request)
    state.rate_policies.append(buckets.policy)
    state.rates.append(left)
    if wait_seconds:
        raise ApiError(
            ErrorCode.TOO_MANY_REQUESTS,
            f"The {what} sends more than {buckets.per_second:g} requests a second; wait, then go on more slowly.",
            headers={"Retry-After": str(wait_seconds)},
        )


def hold_account(request: Request, account_id: int) -> None:
    """Counts a request of the account as running, until its reply is sent. ApiError 429."""
    parallel = get_state(request).limits.parallel
    if parallel is None:
        return
    if not parallel.enter(account_id):
        raise ApiError(
            ErrorCode.TOO_MANY_REQUESTS,
            f"{parallel.parallel_max} requests of this account are running; send fewer at a time.",
            headers={"Retry-After": str(PARALLEL_RETRY_AFTER_SECONDS)},
        )
    get_request_state(request).held_accounts.append(account_id)


class LoginWatch:
    """One try of a key or token: counted by its sender's address when it is wrong.

    From an address with too many wrong ones only those are looked up that were good before, so that nobody is shut out
    by a neighbour behind the same address.
    """

    def __init__(self, request: Request, secret: str) -> None:
        self._request = request
        self._secret = secret
        self._known_hash: str | None = None

    def check(self) -> None:
        """Called before the secret is looked up. ApiError 429."""
        limits = get_state(self._request).limits
        if limits.failures is None:
            return
        self._known_hash = hash_token(self._secret)
        if self._known_hash in limits.known_logins:
            return
        wait_seconds = limits.failures.look(read_client_network(self._request))
        if wait_seconds:
            raise ApiError(
                ErrorCode.TOO_MANY_REQUESTS,
                "Too many wrong keys or tokens came from your address; wait before you try another one.",
                headers={"Retry-After": str(wait_seconds)},
            )

    def note(self, *, is_good: bool) -> None:
        """Called when it is known whether the secret opens anything."""
        limits = get_state(self._request).limits
        if limits.failures is None:
            return
        if not is_good:
            limits.failures.take(read_client_network(self._request))
        elif self._known_hash is not None:
            limits.known_logins.note(self._known_hash)


def read_client_network(request: Request) -> str:
    """The client's address, or its network for IPv6; proxies are looked through if the operator named them."""
    proxies = {ipaddress.ip_address(proxy) for proxy in get_state(request).settings.trusted_proxies}
    hops = request.headers.get("x-forwarded-for", "").split(",") if proxies else []
    address = _parse(request.client.host if request.client else "")
    while address in proxies and hops:
        nearer = _parse(hops.pop().strip())
        if nearer is None:
            break
        address = nearer
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_PREFIX_BITS), strict=False))
    return str(address)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
