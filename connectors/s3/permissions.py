"""Access control lists of objects and buckets. https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Literal

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Permission, PermissionChange, Ref, Role
from connectors.s3.bodies import write_access_control
from connectors.s3.keys import Place
from connectors.s3.payloads import AccessControl, Grant
from connectors.s3.storage import Storage

GROUPS = "http://acs.amazonaws.com/groups/"
EVERYBODY = f"{GROUPS}global/AllUsers"
FULL, READ, WRITE = "FULL_CONTROL", "READ", "WRITE"
GRANT_HEADERS = {
    FULL: "x-amz-grant-full-control",
    READ: "x-amz-grant-read",
    WRITE: "x-amz-grant-write",
    "READ_ACP": "x-amz-grant-read-acp",
    "WRITE_ACP": "x-amz-grant-write-acp",
}


async def list_permissions(storage: Storage, ref: Ref) -> list[Permission]:
    """Who may do what with a file or a bucket, the owner first."""
    return _build_permissions(await storage.api.get_access(await _find(storage, ref)))


async def set_permissions(
    storage: Storage, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
) -> list[Permission]:
    """Grants what is asked for; the owner's own rights stay.

    unsupported for another owner; not_found for somebody whom the store does not know.
    """
    place = await _find(storage, ref)
    access = await storage.api.get_access(place)
    wanted = [_build_grant(change) for change in changes]
    named = {_name(grant) for grant in wanted}
    kept = [
        grant
        for grant in access.grants
        if _is_owners(grant, access) or (not is_replacing and _name(grant) not in named)
    ]
    new = [grant for grant in wanted if not _is_owners(grant, access)]
    changed = AccessControl(owner_id=access.owner_id, owner_name=access.owner_name, grants=[*kept, *new])
    try:
        if storage.dialect.access == "headers":
            await storage.api.put_access(place, headers=build_grant_headers(changed.grants))
        else:
            await storage.api.put_access(place, headers={}, body=write_access_control(changed))
    except ConnectorError as error:
        raise _explain(error) from error
    return _build_permissions(await storage.api.get_access(place))


def build_grant_headers(grants: Iterable[Grant]) -> dict[str, str]:
    """The grants as headers, for stores that read no document."""
    headers: dict[str, str] = {}
    for grant in grants:
        kind, _, text = _name(grant).partition("=")
        header = GRANT_HEADERS[grant.permission]
        who = f'{kind}="{text}"'
        headers[header] = f"{headers[header]}, {who}" if header in headers else who
    return headers


async def _find(storage: Storage, ref: Ref) -> Place:
    if ref.kind == "file":
        return (await storage.get_file(ref.raw_id))[0]
    place = await storage.get_folder(ref.raw_id)
    await storage.check_folder(place)
    if not place.is_bucket:
        raise ConnectorError(ErrorKind.UNSUPPORTED, "folders in a bucket have no permissions; their files have")
    return place


def _build_permissions(access: AccessControl) -> list[Permission]:
    """One permission for each grantee, with the most that he may do."""
    by_name: dict[str, list[Grant]] = {}
    for grant in access.grants:
        by_name.setdefault(_name(grant), []).append(grant)
    permissions = [_build_permission(grants, access) for grants in by_name.values()]
    return sorted(permissions, key=lambda permission: permission.role != "owner")


def _build_permission(grants: list[Grant], access: AccessControl) -> Permission:
    first = grants[0]
    held = [grant.permission for grant in grants]
    return Permission(
        raw_id=first.id or first.uri or first.email or "",
        type=_read_type(first),
        role=_read_role(held, is_owner=_is_owners(first, access)),
        email=first.email,
        name=first.name,
        raw_role=" ".join(held),
    )


def _read_type(grant: Grant) -> Literal["user", "group", "anyone"]:
    if grant.uri is None:
        return "user"
    return "anyone" if grant.uri == EVERYBODY else "group"


def _read_role(held: list[str], *, is_owner: bool) -> Role:
    if is_owner:
        return "owner"
    return "writer" if {FULL, WRITE} & set(held) else "reader"


def _build_grant(change: PermissionChange) -> Grant:
    """A file can be read, or be under somebody's full control: the store knows nothing in between."""
    if change.role == "owner":
        raise ConnectorError(ErrorKind.UNSUPPORTED, "the owner of what is in a store cannot be changed")
    permission = READ if change.role == "reader" else FULL
    if change.type == "anyone":
        return Grant(permission=permission, uri=EVERYBODY)
    if change.type == "group" and change.raw_id is not None and change.raw_id.startswith(GROUPS):
        return Grant(permission=permission, uri=_check(change.raw_id))
    if change.type == "user" and (change.raw_id or change.email):
        return Grant(
            permission=permission,
            id=_check(change.raw_id) if change.raw_id else None,
            email=None if change.raw_id else _check(change.email or ""),
        )
    text = "rights are given to a user by id or email, to one of the provider's groups by its address, or to anyone"
    raise ConnectorError(ErrorKind.UNSUPPORTED, text)


def _check(name: str) -> str:
    if not name.isascii() or not name.isprintable() or set(name) & set('"<>'):
        raise ConnectorError(ErrorKind.NOT_FOUND, "the store knows nobody of that name")
    return name


def _name(grant: Grant) -> str:
    if grant.id is not None:
        return f"id={grant.id}"
    return f"uri={grant.uri}" if grant.uri is not None else f"emailAddress={grant.email}"


def _is_owners(grant: Grant, access: AccessControl) -> bool:
    return grant.id is not None and grant.id == access.owner_id


def _explain(error: ConnectorError) -> ConnectorError:
    """not_found where a store finds fault with the document, which is right but for the names in it."""
    if error.kind is ErrorKind.UNEXPECTED and error.status == HTTPStatus.BAD_REQUEST:
        return error.restated(ErrorKind.NOT_FOUND, "the store knows nobody of that name")
    return error
