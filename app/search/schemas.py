"""What the API gives for a search and for recent files (contract 4.5)."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from app.core.http.replies import NumberedList, ObjectList
from app.storage.schemas import FileReply, FolderReply, Partial
from app.storage.several import AccountError


class SearchPage(ObjectList[FileReply | FolderReply], kw_only=True, gc=False):
    """A page of what was found. `errors` come with several accounts: those that could not be asked."""

    partial: Partial
    errors: list[AccountError] | UnsetType = UNSET


class RecentPage(NumberedList[FileReply], kw_only=True, gc=False):
    """A page of the files that were modified last, newest first. `errors` are as for a search."""

    partial: Partial
    errors: list[AccountError] | UnsetType = UNSET
