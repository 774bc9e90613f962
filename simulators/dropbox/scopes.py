"""What tokens can be good for.

https://developers.dropbox.com/oauth-guide#dropbox-api-permissions
"""

from __future__ import annotations

USER_SCOPES = frozenset(
    {
        "account_info.read",
        "account_info.write",
        "contacts.read",
        "contacts.write",
        "file_requests.read",
        "file_requests.write",
        "files.content.read",
        "files.content.write",
        "files.metadata.read",
        "files.metadata.write",
        "files.permanent_delete",
        "sharing.read",
        "sharing.write",
    }
)
TEAM_SCOPES = frozenset(
    {
        "files.team_metadata.write",
        "members.read",
        "team_data.content.read",
        "team_data.content.write",
        "team_data.member",
        "team_info.read",
    }
)
"""A token that has one of these is a team's: it names a member with each request."""
OPENID_SCOPES = frozenset({"openid", "email", "profile"})
DEFAULT_SCOPES = USER_SCOPES - {"files.permanent_delete"}
"""What a user's application gets that asks for nothing in particular; permanent deletion is for teams."""
