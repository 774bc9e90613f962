from __future__ import annotations

import msgspec
import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, Permission, PermissionChange, RawId, Ref
from tests.connectors.behavior.space import Space, refused

pytestmark = pytest.mark.needs("list_permissions")


@pytest.fixture
async def file(space: Space) -> File:
    return await space.put("a.txt", b"bytes")


@pytest.fixture
def grantee(space: Space) -> PermissionChange:
    """Somebody who may be given the right to read."""
    if space.target.grantee is None:
        pytest.fail("a target that can set permissions names somebody to give them to")
    return msgspec.structs.replace(space.target.grantee, role="reader")


def find(permissions: list[Permission], grantee: PermissionChange) -> list[Permission]:
    """The permissions of somebody."""
    if grantee.type == "anyone":
        return [permission for permission in permissions if permission.type == "anyone"]
    if grantee.raw_id is not None:
        return [permission for permission in permissions if permission.raw_id == grantee.raw_id]
    return [permission for permission in permissions if permission.email == grantee.email]


def is_owners(permission: Permission) -> bool:
    return permission.role == "owner"


async def test_owner_is_told_when_file_is_new(space: Space, file: File) -> None:
    permissions = await space.connector.list_permissions(file.ref)
    assert any(map(is_owners, permissions))
    assert all(permission.raw_id for permission in permissions)
    assert len({(permission.type, permission.raw_id) for permission in permissions}) == len(permissions)


async def test_folder_has_an_owner_or_says_that_it_has_no_permissions(space: Space) -> None:
    folder = await space.make("b")
    try:
        permissions = await space.connector.list_permissions(folder.ref)
    except ConnectorError as error:
        assert error.kind is ErrorKind.UNSUPPORTED  # noqa: PT017 - where only files have any
    else:
        assert any(map(is_owners, permissions))


@pytest.mark.needs("set_permissions")
async def test_somebody_has_the_role_when_it_was_granted(space: Space, file: File, grantee: PermissionChange) -> None:
    before = await space.connector.list_permissions(file.ref)
    changed = await space.connector.set_permissions(file.ref, [grantee], is_replacing=False)
    assert [permission.role for permission in find(changed, grantee)] == ["reader"]
    assert all(permission in changed for permission in before)
    assert await space.connector.list_permissions(file.ref) == changed
    assert await space.read(file.raw_id) == b"bytes"


@pytest.mark.needs("set_permissions")
async def test_there_is_one_permission_with_the_last_role_when_granted_twice(
    space: Space, file: File, grantee: PermissionChange
) -> None:
    most = space.target.grantee.role if space.target.grantee else grantee.role
    for role in ("reader", "reader", most):
        wish = msgspec.structs.replace(grantee, role=role)
        changed = await space.connector.set_permissions(file.ref, [wish], is_replacing=False)
        assert [permission.role for permission in find(changed, grantee)] == [role]


@pytest.mark.needs("set_permissions")
async def test_others_stay_when_nothing_is_asked_for(space: Space, file: File, grantee: PermissionChange) -> None:
    changed = await space.connector.set_permissions(file.ref, [grantee], is_replacing=False)
    assert await space.connector.set_permissions(file.ref, [], is_replacing=False) == changed


@pytest.mark.needs("set_permissions")
async def test_only_the_owner_stays_when_replaced_by_nothing(
    space: Space, file: File, grantee: PermissionChange
) -> None:
    await space.connector.set_permissions(file.ref, [grantee], is_replacing=False)
    left = await space.connector.set_permissions(file.ref, [], is_replacing=True)
    assert left
    assert all(map(is_owners, left))
    assert await space.connector.list_permissions(file.ref) == left
    assert await space.read(file.raw_id) == b"bytes"


@pytest.mark.needs("set_permissions")
async def test_owner_and_those_named_stay_when_replaced(space: Space, file: File, grantee: PermissionChange) -> None:
    changed = await space.connector.set_permissions(file.ref, [grantee], is_replacing=True)
    assert any(map(is_owners, changed))
    assert [permission for permission in changed if not is_owners(permission)] == find(changed, grantee)


@pytest.mark.needs("set_permissions")
async def test_not_found_and_nothing_changes_when_the_provider_knows_nobody_of_that_name(
    space: Space, file: File
) -> None:
    if space.target.stranger is None:
        pytest.skip("this provider takes any name")
    before = await space.connector.list_permissions(file.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.set_permissions(file.ref, [space.target.stranger], is_replacing=True)
    assert await space.connector.list_permissions(file.ref) == before


async def test_not_found_when_file_is_gone(space: Space, file: File) -> None:
    await space.connector.delete(file.ref)
    for ref in (file.ref, Ref("file", RawId("no such id"))):
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.list_permissions(ref)


@pytest.mark.needs("set_permissions")
async def test_not_found_when_they_are_set_for_what_is_gone(
    space: Space, file: File, grantee: PermissionChange
) -> None:
    await space.connector.delete(file.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.set_permissions(file.ref, [grantee], is_replacing=False)
    await space.holds()
