"""Copy references: what one user has becomes another's without its bytes travelling."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from simulators.dropbox.calls import Argument, Call, ReadPath, Routes, WritePath
from simulators.dropbox.errors import RouteError, inside
from simulators.dropbox.metadata import build_metadata
from simulators.dropbox.placing import prepare
from simulators.dropbox.state import format_time, remember
from simulators.dropbox.tree import File

REFERENCE_DAYS = 30 * 365

routes = Routes()


class GetArgument(Argument):
    path: ReadPath


class SaveArgument(Argument):
    copy_reference: str
    path: WritePath


@routes.rpc("files/copy_reference/get", GetArgument, scope="files.content.write")
def get_reference(call: Call, argument: GetArgument) -> dict[str, Any]:
    """A word that stands for what is at the path."""
    with inside("path"):
        resource = call.view.get(argument.path)
    reference = secrets.token_urlsafe(16)
    remember(call.state.references, reference, (call.client.client_id, resource.resource_id))
    expires = call.state.world.clock.now() + timedelta(days=REFERENCE_DAYS)
    return {
        "metadata": build_metadata(call.view, resource),
        "copy_reference": reference,
        "expires": format_time(expires),
    }


@routes.rpc("files/copy_reference/save", SaveArgument, scope="files.content.write")
def save_reference(call: Call, argument: SaveArgument) -> dict[str, Any]:
    """The same bytes among the caller's files; the application has to be the one that asked for the word."""
    call.check_writes()
    known = call.state.references.get(argument.copy_reference)
    if known is None:
        raise RouteError("invalid_copy_reference")
    if known[0] != call.client.client_id:
        raise RouteError("no_permission")
    resource = call.state.space.resources.get(known[1])
    if resource is None:
        raise RouteError("not_found")
    with inside("path"):
        place = prepare(call.view, argument.path)
        if place.resource is not None:
            raise RouteError("conflict", "file" if isinstance(place.resource, File) else "folder")
    if place.folder is None:
        raise AssertionError("a prepared place has a folder")
    copied = call.state.space.copy(resource, place.folder, place.name)
    return {"metadata": build_metadata(call.view, copied)}
