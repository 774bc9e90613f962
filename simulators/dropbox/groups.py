"""Custom properties of files and folders: groups of fields, each after a template that says which fields there are."""

from __future__ import annotations

from typing import Annotated

import msgspec

from simulators.dropbox.calls import Argument, Call
from simulators.dropbox.errors import RouteError
from simulators.dropbox.state import Template, build_team_id
from simulators.dropbox.tree import Resource

VALUE_BYTES_MAX = 1024

TemplateId = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\A(/|ptid:).*\Z")]


class FieldArgument(Argument):
    name: str
    value: str


class GroupArgument(Argument):
    template_id: TemplateId
    fields: list[FieldArgument]


def get_template(call: Call, template_id: str) -> Template:
    """A template of this user and application, or of the user's team; RouteError("template_not_found")."""
    template = call.state.templates.get(template_id)
    owners = {build_owner(call), ("team", build_team_id(call.user.team)) if call.user.team else None}
    if template is None or template.owner not in owners:
        raise RouteError("template_not_found", template_not_found=template_id)
    return template


def build_owner(call: Call) -> tuple[str, int | str]:
    """Who owns the templates that this call makes."""
    return (call.client.client_id, call.user.number)


def check_groups(call: Call, groups: list[GroupArgument]) -> None:
    """RouteError unless all groups fit their templates, each named once."""
    if len({group.template_id for group in groups}) != len(groups):
        raise RouteError("duplicate_property_groups")
    for group in groups:
        template = get_template(call, group.template_id)
        check_fields(template, group.fields)


def check_fields(template: Template, fields: list[FieldArgument]) -> None:
    """RouteError unless the template has all of these, and they are short enough."""
    for field in fields:
        if field.name not in template.fields:
            raise RouteError("does_not_fit_template")
        if len(field.value.encode()) > VALUE_BYTES_MAX:
            raise RouteError("property_field_too_large")


def write_groups(resource: Resource, groups: list[GroupArgument]) -> None:
    """Each group replaces what the resource had after the same template."""
    for group in groups:
        resource.properties[group.template_id] = {field.name: field.value for field in group.fields}
