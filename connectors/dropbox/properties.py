"""Properties of files. Dropbox keeps them in the fields of a template, 32 at most, so each field holds any property:
the length of its key, a colon, the key, the value.

Who needs a template and finds none makes one, and others may do so at the same time: all of them are read, and the one
whose id comes first is written to.

https://www.dropbox.com/developers/reference/file-properties-guide
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.core.call import Repeat
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Property
from connectors.dropbox.api import write_tag
from connectors.dropbox.errors import read_reason
from connectors.dropbox.manifest import PROPERTIES_MAX
from connectors.dropbox.payloads import Template, TemplateId, Templates
from connectors.dropbox.reading import Reader

TEMPLATE_NAME = "kloudless"
VALUE_BYTES_MAX = 1024
ACCOUNTS_MAX = 10_000  # whose templates are remembered
REMEMBERED_SECONDS_MAX = 60.0  # another process may make one
_FIELD = re.compile(r"([0-9]{1,4}):(.*)", re.DOTALL)


class TemplateMemory:
    """Each account's templates, as far as they are known; shared by all connectors of the process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ids: OrderedDict[str, tuple[float, Sequence[str]]] = OrderedDict()

    def find(self, account_key: str) -> Sequence[str]:
        ends_at, ids = self._ids.get(account_key, (0.0, ()))
        return ids if self._now() < ends_at else ()

    def learn(self, account_key: str, ids: Sequence[str]) -> None:
        self._ids.pop(account_key, None)
        if ids:
            self._ids[account_key] = (self._now() + REMEMBERED_SECONDS_MAX, ids)
        if len(self._ids) > ACCOUNTS_MAX:
            self._ids.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of one account's files."""

    reader: Reader
    memory: TemplateMemory
    account_key: str

    async def list_all(self, file: str) -> list[Property]:
        """All, by key."""
        await self.reader.look(file, "file")
        found, _ = await self._read(file, await self._find_templates())
        return _build(found)

    async def update(self, file: str, changes: Mapping[str, str | None], *, is_replacing: bool) -> list[Property]:
        """Reads, changes and writes all; what somebody else writes in between is lost."""
        await self.reader.look(file, "file")
        template_ids = await self._find_templates() or await self._make_template()
        before, written = await self._read(file, template_ids)
        merged = {**({} if is_replacing else before), **changes}
        after = {key: value for key, value in merged.items() if value is not None}
        fields = _write_fields(after)
        if fields:
            group = {"template_id": template_ids[0], "fields": fields}
            await self._change("properties/overwrite", {"path": file, "property_groups": [group]})
            written.discard(template_ids[0])
        if written:
            await self._change("properties/remove", {"path": file, "property_template_ids": sorted(written)})
        return _build(after)

    async def _read(self, file: str, template_ids: Sequence[str]) -> tuple[dict[str, str], set[str]]:
        """The properties, and of which templates they are."""
        if not template_ids:
            return {}, set()
        try:
            entry = await self.reader.api.get_metadata(file, template_ids=template_ids)
        except ConnectorError as error:
            if "template" in read_reason(error):
                self.memory.learn(self.account_key, ())
            raise
        found = {}
        for group in sorted(entry.property_groups, key=lambda group: group.template_id, reverse=True):
            for field in group.fields:
                told = _FIELD.fullmatch(field.value)
                if told is not None:
                    length = int(told[1])
                    found[told[2][:length]] = told[2][length:]
        return found, {group.template_id for group in entry.property_groups}

    async def _find_templates(self) -> Sequence[str]:
        known = self.memory.find(self.account_key)
        if known:
            return known
        template_ids: list[str] = (await self._ask("list_for_user", None, Templates)).template_ids
        own = [each for each in sorted(template_ids) if await self._is_own(each)]
        self.memory.learn(self.account_key, own)
        return own

    async def _is_own(self, template_id: str) -> bool:
        template: Template = await self._ask("get_for_user", {"template_id": template_id}, Template)
        return template.name == TEMPLATE_NAME

    async def _make_template(self) -> Sequence[str]:
        kind = {"description": "a property", "type": write_tag("string")}
        fields = [{"name": f"{number:02}", **kind} for number in range(PROPERTIES_MAX)]
        argument = {"name": TEMPLATE_NAME, "description": "properties of any kind", "fields": fields}
        made: TemplateId = await self._ask("add_for_user", argument, TemplateId, Repeat.IDEMPOTENT)
        return await self._find_templates() or [made.template_id]  # a lost answer may have made another one

    async def _change(self, route: str, argument: Mapping[str, Any]) -> None:
        try:
            await self.reader.api.ask(f"file_properties/{route}", argument, msgspec.Raw, Repeat.IDEMPOTENT)
        except ConnectorError as error:
            if "template_not_found" in read_reason(error):
                self.memory.learn(self.account_key, ())
            if not error.is_replay or "property_group_not_found" not in read_reason(error):
                raise

    async def _ask(self, route: str, argument: Any, kind: Any, repeat: Repeat = Repeat.SAFE) -> Any:
        return await self.reader.api.ask(f"file_properties/templates/{route}", argument, kind, repeat)


def _write_fields(properties: Mapping[str, str]) -> list[dict[str, str]]:
    if len(properties) > PROPERTIES_MAX:
        raise ConnectorError(ErrorKind.INVALID_NAME, f"a file can have {PROPERTIES_MAX} properties")
    values = [f"{len(key)}:{key}{value}" for key, value in sorted(properties.items())]
    if any(len(value.encode("utf-8", "replace")) > VALUE_BYTES_MAX for value in values):
        text = f"a key and its value can have about {VALUE_BYTES_MAX} bytes together"
        raise ConnectorError(ErrorKind.INVALID_NAME, text)
    return [{"name": f"{number:02}", "value": value} for number, value in enumerate(values)]


def _build(properties: Mapping[str, str]) -> list[Property]:
    return [Property(key=key, value=value) for key, value in sorted(properties.items())]
