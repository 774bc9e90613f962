"""What the API says of services that accounts can be connected to (contract 2.7)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from app.core.http.replies import ObjectList


class CapabilityResult(Struct, kw_only=True):
    """Whether something can be done, for an ordinary account or an administrator's."""

    admin: bool
    result: bool


class ServiceProperties(Struct):
    """What every account of a service can do, by dotted names: API, kind of thing, operation."""

    capabilities: dict[str, list[CapabilityResult]]


class ServiceReply(Struct, kw_only=True):
    """A service that accounts can be connected to. `properties` come with `retrieve_properties`."""

    name: str
    friendly_name: str
    category: str
    logo_url: str
    apis: list[str]
    href: str
    type: str = "service"
    api: str = "meta"
    properties: ServiceProperties | UnsetType = UNSET


class ServiceList(ObjectList[ServiceReply], kw_only=True, gc=False):
    """The services that accounts can be connected to, all on one page."""
