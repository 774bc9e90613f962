"""What one server does and what it does not: learned once by trying, kept with the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from connectors.core.manifest import Capabilities, Manifest
from connectors.webdav.manifest import MANIFEST

RISKY_CHARACTERS = ";?\t\r\n"
"""Seen to be lost from the target of a MOVE; until a server was tried, names must do without them."""


class Traits(Struct, frozen=True, kw_only=True):
    """One server's ways. The defaults are those of the worst: all that they cost is requests."""

    can_write: bool = False  # when it was tried, in the account's own folder
    is_put_atomic: bool = False  # a PUT is seen whole or not at all, and never what was cut off
    refuses_put_over: bool = False  # If-None-Match: * is honoured
    refuses_move_over: bool = False  # Overwrite: F is honoured
    refuses_mkcol_over: bool = False  # MKCOL of what is there is an error
    refuses_missing_parent: bool = False  # what is written below no folder makes none
    locks_each_request: bool = False  # two writes of one name at the same time: one is refused
    copies_files: bool = False
    copies_folders: bool = False
    deletes_full_folders: bool = False
    takes_unknown_size: bool = False
    gives_ranges: bool = False
    has_exact_etags: bool = False  # each write has another one, however soon after the last, unless it is called weak
    has_quota: bool = False
    keeps_properties: bool = False
    live_properties: tuple[str, ...] = ()  # that a new file has already: the server's own
    characters_forbidden: str = RISKY_CHARACTERS


def read_traits(learned: Mapping[str, Any]) -> Traits:
    """What probing learned; nothing where that cannot be read, or was never done."""
    try:
        return msgspec.convert(dict(learned), Traits)
    except msgspec.ValidationError:
        return Traits()


def write_traits(traits: Traits) -> dict[str, Any]:
    """The same in a form that can be stored."""
    kept: dict[str, Any] = msgspec.to_builtins(traits)
    return kept


def choose_capabilities(traits: Traits) -> Capabilities:
    """What an account on such a server can do."""
    return msgspec.structs.replace(
        MANIFEST.capabilities,
        copy=traits.copies_files,
        copy_folder=traits.copies_folders,
        delete_recursive=traits.deletes_full_folders,
        get_quota=traits.has_quota,
        list_properties=traits.keeps_properties,
        download_range=traits.gives_ranges,
        download_if_match=traits.has_exact_etags,
        upload_size_unknown=traits.takes_unknown_size,
        upload_exclusive=traits.locks_each_request and traits.refuses_move_over,
        replace_atomic=traits.is_put_atomic,
    )


def describe_account(traits: Traits) -> Manifest:
    """The service's manifest with the names that such a server can store."""
    forbidden = MANIFEST.limits.name_characters_forbidden
    more = "".join(sorted(set(traits.characters_forbidden) - set(forbidden)))
    limits = msgspec.structs.replace(MANIFEST.limits, name_characters_forbidden=forbidden + more)
    return msgspec.structs.replace(MANIFEST, limits=limits)
