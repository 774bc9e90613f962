from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId
from tests.connectors.behavior.space import Space, refused

pytestmark = pytest.mark.needs("open_export")


async def test_format_invalid_when_file_has_bytes_of_its_own(space: Space) -> None:
    file = await space.put("a.txt")
    assert file.export_formats == ()
    with refused(ErrorKind.FORMAT_INVALID) as caught:
        async with space.connector.open_export(file.raw_id, "pdf"):
            pass
    assert "only documents of the provider's own" in caught.value.message


async def test_wrong_type_when_it_is_a_folder(space: Space) -> None:
    folder = await space.make("folder")
    with refused(ErrorKind.WRONG_TYPE):
        async with space.connector.open_export(folder.raw_id, "pdf"):
            pass


async def test_not_found_when_it_is_gone(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref)
    for raw_id in (file.raw_id, RawId("no-such-id")):
        with refused(ErrorKind.NOT_FOUND):
            async with space.connector.open_export(raw_id, "pdf"):
                pass
