"""The address guard: hosts that users name may be reached only at public addresses, or where the operator allows.

Every address of a name is checked, and callers connect to an address that was checked, never to the name: a name server
that changes its mind between check and connection gains nothing. guarded_transport.py does so for HTTP.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import httpx
from pyreqwest.http import Url

from connectors.core.errors import ConnectorError, ErrorKind

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""A name in, its addresses out, in order of preference; OSError when there are none."""

RESOLVE_SECONDS_MAX = 10.0
PORT_MAX = 65535

DENIED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind carriers' address translation; metadata services of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # looks public, is one cloud's host agent
        "169.254.0.0/16",  # link-local; metadata services of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        # Of IPv6 only 2000::/3 is public. The next three are the rest: loopback, mapped IPv4 (::ffff:0:0/96),
        # translated IPv4 (64:ff9b::/96 and 64:ff9b:1::/48), private (fc00::/7), link-local, multicast.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",  # protocol assignments, Teredo (IPv4 inside)
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 (IPv4 inside)
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class GuardedAddress:
    """A host that may be reached, and where; connect to `address`, not to the name."""

    host: str
    port: int
    address: str


async def resolve_by_system(host: str) -> list[str]:
    """The addresses that the machine's resolver gives."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class AddressGuard:
    """Says whether a host may be reached. `allowed_networks` are exceptions that the operator makes."""

    def __init__(self, allowed_networks: Iterable[str] = (), resolver: Resolver = resolve_by_system) -> None:
        self._allowed = tuple(ipaddress.ip_network(network) for network in allowed_networks)
        self._resolver = resolver

    async def check(self, url: str) -> GuardedAddress:
        """Where `url` leads.

        - address_refused for schemes other than http and https, a user name in it, a host that could be read in two
          ways, and a host any of whose addresses is not allowed.
        - unavailable when the name has no address.
        """
        host, port = read_target(url)
        return GuardedAddress(host, port, (await self.resolve(host))[0])

    async def check_host(self, host: str, port: int) -> GuardedAddress:
        """The same for protocols other than HTTP."""
        if set(host) & set("/\\?#@%[] "):
            raise _refuse("the host has a character in it that no host name has")
        return await self.check(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")

    async def resolve(self, host: str) -> list[str]:
        """All addresses of a host, each of them allowed, else address_refused."""
        for address in (addresses := await self._look_up(host)):
            if not self._is_allowed(address):
                # the address itself stays unsaid: it may be a secret of the operator's network
                raise _refuse(f"{host} leads to an address that is not public; the operator can allow its network")
        return addresses

    async def _look_up(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass  # a name
        try:
            async with asyncio.timeout(RESOLVE_SECONDS_MAX):
                addresses = list(await self._resolver(host))
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise ConnectorError(ErrorKind.UNAVAILABLE, f"the host name {host} could not be looked up") from error
        if not addresses:
            raise ConnectorError(ErrorKind.UNAVAILABLE, f"the host name {host} has no address")
        return addresses

    def _is_allowed(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if any(parsed in network for network in self._allowed):
            return True
        return not any(parsed in network for network in DENIED)


def read_target(url: str) -> tuple[str, int]:
    """Host and port of an http or https URL; address_refused if two readers could disagree about them."""
    try:
        wire, built = Url(url), httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise _refuse("the address is malformed") from error
    host, port = (wire.host_str or "").strip("[]"), wire.port_or_known_default
    if wire.scheme not in {"http", "https"}:
        raise _refuse("only http and https addresses are allowed")
    if wire.username or wire.password or built.userinfo:
        raise _refuse("an address with a user name or password in it is not allowed")
    if not host or host != built.raw_host.decode("ascii"):
        raise _refuse("the host is written in an unusual way")
    if host.endswith("."):
        raise _refuse("the host ends in a dot")
    if not port:
        raise _refuse(f"the port must be between 1 and {PORT_MAX}")
    return host, port


def _refuse(reason: str) -> ConnectorError:
    return ConnectorError(ErrorKind.ADDRESS_REFUSED, reason)
