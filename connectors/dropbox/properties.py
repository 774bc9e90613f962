"""Properties of files. Dropbox keeps them in the fields of a template, 32 at most, so each field holds any property:
the length of its key, a colon, the key, the value.

https://www.dropbox.com/developers/reference/file-properties-guide
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
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
ACCOUNTS_MAX = 10_000  # whose template is remembered
_FIELD = re.compile(r"([0-9]{1,4}):(.*)", re.DOTALL)


class TemplateMemory:
    """The template of each account, as far as it is known; shared by all connectors of the process."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()

    def find(self, account_key: str) -> str | None:
        return self._ids.get(account_key)

    def learn(self, account_key: str, template_id: str | None) -> None:
        self._ids.pop(account_key, None)
        if template_id is not None:
            self._ids[account_key] = template_id
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
        template_id = await self._find_template()
        return [] if template_id is None else _build(await self._read(file, template_id))

    async def update(self, file: str, changes: Mapping[str, str | None], *, is_replacing: bool) -> list[Property]:
        """Reads, changes and writes all; what somebody else writes in between is lost."""
        await self.reader.look(file, "file")
        template_id = await self._find_template() or await self._make_template()
        before = await self._read(file, template_id)
        merged = {**({} if is_replacing else before), **changes}
        after = {key: value for key, value in merged.items() if value is not None}
        fields = _write_fields(after)
        if fields:
            group = {"template_id": template_id, "fields": fields}
            await self._change("properties/overwrite", {"path": file, "property_groups": [group]})
        elif before:
            await self._change("properties/remove", {"path": file, "property_template_ids": [template_id]})
        return _build(after)

    async def _read(self, file: str, template_id: str) -> dict[str, str]:
        try:
            entry = await self.reader.api.get_metadata(file, template_id=template_id)
        except ConnectorError as error:
            if "template" in read_reason(error):
                self.memory.learn(self.account_key, None)
            raise
        found = {}
        for field in (field for group in entry.property_groups for field in group.fields):
            told = _FIELD.fullmatch(field.value)
            if told is not None:
                length = int(told[1])
                found[told[2][:length]] = told[2][length:]
        return found

    async def _find_template(self) -> str | None:
        known = self.memory.find(self.account_key)
        if known is not None:
            return known
        template_ids: list[str] = (await self._ask("list_for_user", None, Templates)).template_ids
        for template_id in sorted(template_ids):  # of several, for all processes the same
            template = await self._ask("get_for_user", {"template_id": template_id}, Template)
            if template.name == TEMPLATE_NAME:
                self.memory.learn(self.account_key, template_id)
                return template_id
        return None

    async def _make_template(self) -> str:
        kind = {"description": "a property", "type": write_tag("string")}
        fields = [{"name": f"{number:02}", **kind} for number in range(PROPERTIES_MAX)]
        argument = {"name": TEMPLATE_NAME, "description": "properties of any kind", "fields": fields}
        made: TemplateId = await self._ask("add_for_user", argument, TemplateId, Repeat.IDEMPOTENT)
        return await self._find_template() or made.template_id  # a lost answer may have made another one

    async def _change(self, route: str, argument: Mapping[str, Any]) -> None:
        try:
            await self.reader.api.ask(f"file_properties/{route}", argument, msgspec.Raw, Repeat.IDEMPOTENT)
        except ConnectorError as error:
            if "template_not_found" in read_reason(error):
                self.memory.learn(self.account_key, None)
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
