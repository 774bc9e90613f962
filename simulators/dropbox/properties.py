"""The namespace file_properties: templates, and groups of fields on files and folders."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import msgspec

from simulators.dropbox.calls import Argument, Call, Routes, Tagged, WritePathOrId, read_tag
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import RouteError, inside
from simulators.dropbox.groups import (
    FieldArgument,
    GroupArgument,
    TemplateId,
    build_owner,
    check_fields,
    check_groups,
    get_template,
    write_groups,
)
from simulators.dropbox.metadata import build_group_list
from simulators.dropbox.state import Template, build_team_id
from simulators.dropbox.tree import Resource

FIELDS_COUNT_MAX = 32
TEMPLATES_COUNT_MAX = 64
NAME_BYTES_MAX = 256
DESCRIPTION_BYTES_MAX = 1024
SEARCH_COUNT_MAX = 1000

routes = Routes()


class FieldTemplateArgument(Argument):
    name: str
    description: str
    type: Tagged


class AddTemplateArgument(Argument):
    name: str
    description: str
    fields: list[FieldTemplateArgument]


class TemplateArgument(Argument):
    template_id: TemplateId


class UpdateTemplateArgument(TemplateArgument):
    name: str | None = None
    description: str | None = None
    add_fields: list[FieldTemplateArgument] | None = None


class GroupsArgument(Argument):
    path: WritePathOrId
    property_groups: list[GroupArgument]


class GroupUpdate(TemplateArgument):
    add_or_update_fields: list[FieldArgument] | None = None
    remove_fields: list[str] | None = None


class UpdateGroupsArgument(Argument):
    path: WritePathOrId
    update_property_groups: list[GroupUpdate]


class RemoveGroupsArgument(Argument):
    path: WritePathOrId
    property_template_ids: list[TemplateId]


class QueryArgument(Argument):
    query: str
    mode: Tagged
    logical_operator: Tagged = "or_operator"


class SearchArgument(Argument):
    queries: Annotated[list[QueryArgument], msgspec.Meta(min_length=1)]
    template_filter: Tagged = "filter_none"


class SearchContinueArgument(Argument):
    cursor: Annotated[str, msgspec.Meta(min_length=1)]


def _build_owner(call: Call) -> tuple[str, int | str]:
    if call.route.auth == "team":
        return ("team", build_team_id(call.user.team or ""))
    return build_owner(call)


def add_template(call: Call, argument: AddTemplateArgument) -> dict[str, Any]:
    """A new template."""
    owner = _build_owner(call)
    if sum(template.owner == owner for template in call.state.templates.values()) >= TEMPLATES_COUNT_MAX:
        raise RouteError("too_many_templates")
    fields: dict[str, str] = {}
    _extend(fields, argument.fields)
    _check_lengths(argument.name, argument.description)
    template_id = f"ptid:{secrets.token_urlsafe(16)}"
    call.state.templates[template_id] = Template(
        template_id=template_id, owner=owner, name=argument.name, description=argument.description, fields=fields
    )
    return {"template_id": template_id}


def describe_template(call: Call, argument: TemplateArgument) -> dict[str, Any]:
    """Its name and fields."""
    template = get_template(call, argument.template_id)
    return {
        "name": template.name,
        "description": template.description,
        "fields": [
            {"name": name, "description": description, "type": {".tag": "string"}}
            for name, description in template.fields.items()
        ],
    }


def list_templates(call: Call, _: None) -> dict[str, Any]:
    """The ids of one's own."""
    owner = _build_owner(call)
    return {"template_ids": [one.template_id for one in call.state.templates.values() if one.owner == owner]}


def update_template(call: Call, argument: UpdateTemplateArgument) -> dict[str, Any]:
    """Another name, more fields; fields never go."""
    template = get_template(call, argument.template_id)
    fields = dict(template.fields)
    _extend(fields, argument.add_fields or [])
    _check_lengths(argument.name or "", argument.description or "")
    template.fields = fields
    template.name = argument.name or template.name
    template.description = argument.description or template.description
    return {"template_id": template.template_id}


def remove_template(call: Call, argument: TemplateArgument) -> None:
    """Goes, and all properties after it."""
    template = get_template(call, argument.template_id)
    del call.state.templates[template.template_id]
    for resource in call.state.space.resources.values():
        resource.properties.pop(template.template_id, None)


for _owner, _auth, _read, _write in (
    ("user", "user", "files.metadata.read", "files.metadata.write"),
    ("team", "team", "files.team_metadata.write", "files.team_metadata.write"),
):
    _prefix = "file_properties/templates"
    routes.rpc(f"{_prefix}/add_for_{_owner}", AddTemplateArgument, scope=_write, auth=_auth)(add_template)
    routes.rpc(f"{_prefix}/get_for_{_owner}", TemplateArgument, scope=_read, auth=_auth)(describe_template)
    routes.rpc(f"{_prefix}/list_for_{_owner}", scope=_read, auth=_auth)(list_templates)
    routes.rpc(f"{_prefix}/update_for_{_owner}", UpdateTemplateArgument, scope=_write, auth=_auth)(update_template)
    routes.rpc(f"{_prefix}/remove_for_{_owner}", TemplateArgument, scope=_write, auth=_auth)(remove_template)


@routes.rpc("file_properties/properties/add", GroupsArgument, scope="files.metadata.write")
def add_properties(call: Call, argument: GroupsArgument) -> None:
    """Groups that the resource does not have yet."""
    resource = _find(call, argument.path)
    check_groups(call, argument.property_groups)
    if any(group.template_id in resource.properties for group in argument.property_groups):
        raise RouteError("property_group_already_exists")
    write_groups(resource, argument.property_groups)


@routes.rpc("file_properties/properties/overwrite", GroupsArgument, scope="files.metadata.write")
def overwrite_properties(call: Call, argument: GroupsArgument) -> None:
    """Whole groups, whatever was there."""
    resource = _find(call, argument.path)
    check_groups(call, argument.property_groups)
    write_groups(resource, argument.property_groups)


@routes.rpc("file_properties/properties/update", UpdateGroupsArgument, scope="files.metadata.write")
def update_properties(call: Call, argument: UpdateGroupsArgument) -> None:
    """Single fields of groups that are there."""
    resource = _find(call, argument.path)
    for update in argument.update_property_groups:
        template = get_template(call, update.template_id)
        if update.template_id not in resource.properties:
            raise RouteError("property_group_lookup", "property_group_not_found")
        check_fields(template, update.add_or_update_fields or [])
    for update in argument.update_property_groups:
        fields = resource.properties[update.template_id]
        fields |= {field.name: field.value for field in update.add_or_update_fields or []}
        for name in update.remove_fields or []:
            fields.pop(name, None)


@routes.rpc("file_properties/properties/remove", RemoveGroupsArgument, scope="files.metadata.write")
def remove_properties(call: Call, argument: RemoveGroupsArgument) -> None:
    """Whole groups go."""
    resource = _find(call, argument.path)
    for template_id in argument.property_template_ids:
        get_template(call, template_id)
        if template_id not in resource.properties:
            raise RouteError("property_group_lookup", "property_group_not_found")
    for template_id in argument.property_template_ids:
        del resource.properties[template_id]


@routes.rpc("file_properties/properties/search", SearchArgument, scope="files.metadata.read")
def search_properties(call: Call, argument: SearchArgument) -> dict[str, Any]:
    """All of the user's files and folders with such values."""
    return _search(call, msgspec.to_builtins(argument), start=0)


@routes.rpc("file_properties/properties/search/continue", SearchContinueArgument, scope="files.metadata.read")
def search_properties_continue(call: Call, argument: SearchContinueArgument) -> dict[str, Any]:
    """The next page."""
    position = read_cursor(call.state, "properties", argument.cursor, user=call.user)
    return _search(call, position["search"], start=position["start"])


def _search(call: Call, asked: dict[str, Any], *, start: int) -> dict[str, Any]:
    argument = msgspec.convert(asked, SearchArgument)
    queries = [(query.query.lower(), read_tag(query.mode)[1].get("field_name")) for query in argument.queries]
    found = []
    for resource in list(call.state.space.resources.values()):
        parts = call.view.build_parts(resource)
        if not parts or not _has_value(resource, queries):
            continue
        found.append(
            {
                "id": resource.resource_id,
                "path": "".join(f"/{part}" for part in parts),
                "is_deleted": False,
                "property_groups": build_group_list(resource.properties, resource.properties),
            }
        )
    end = start + SEARCH_COUNT_MAX
    answer: dict[str, Any] = {"matches": found[start:end]}
    if end < len(found):
        answer["cursor"] = write_cursor(call.state, "properties", call.user, {"search": asked, "start": end})
    return answer


def _has_value(resource: Resource, queries: list[tuple[str, str | None]]) -> bool:
    return any(
        query in value.lower() and field in {None, name}
        for fields in resource.properties.values()
        for name, value in fields.items()
        for query, field in queries
    )


def _find(call: Call, path: str) -> Resource:
    with inside("path"):
        return call.view.get(path)


def _extend(fields: dict[str, str], more: list[FieldTemplateArgument]) -> None:
    for field in more:
        if field.name in fields:
            raise RouteError("conflicting_property_names")
        _check_lengths(field.name, field.description)
        fields[field.name] = field.description
    if len(fields) > FIELDS_COUNT_MAX:
        raise RouteError("too_many_properties")


def _check_lengths(name: str, description: str) -> None:
    if len(name.encode()) > NAME_BYTES_MAX or len(description.encode()) > DESCRIPTION_BYTES_MAX:
        raise RouteError("template_attribute_too_large")
