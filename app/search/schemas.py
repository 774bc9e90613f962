"""What the API gives for a search and for recent files (contract 4.5)."""

from __future__ import annotations

from app.core.http.replies import NumberedList, ObjectList
from app.storage.schemas import FileReply, FolderReply, Partial


class SearchPage(ObjectList[FileReply | FolderReply], kw_only=True, gc=False):
    """A page of what was found."""

    partial: Partial


class RecentPage(NumberedList[FileReply], kw_only=True, gc=False):
    """A page of the files that were modified last, newest first."""

    partial: Partial
