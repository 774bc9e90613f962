"""Push notifications: who asked to be told about which changes, and the telling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

from simulators.core.notices import Notices
from simulators.gdrive.errors import DriveError
from simulators.gdrive.records import Change
from simulators.gdrive.store import Store

CHANNELS_COUNT_MAX = 10_000
ID_CHARACTERS_MAX = 64
TOKEN_CHARACTERS_MAX = 256
FILE_SECONDS_DEFAULT = 3600
FILE_SECONDS_MAX = 24 * 3600
CHANGES_SECONDS_MAX = 7 * 24 * 3600
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(slots=True, kw_only=True)
class Channel:
    """One subscription: to one file, or to all changes that a user sees (`file_id` is None)."""

    id: str
    resource_id: str
    resource_uri: str
    address: str
    token: str | None
    user_number: int
    client_id: str
    file_id: str | None
    drive_id: str | None
    expires_at: datetime
    sent_count: int = 0


class Channels:
    """Open channels; each hears of every change that concerns it."""

    def __init__(self, store: Store, notices: Notices) -> None:
        self._store = store
        self._notices = notices
        self._channels: dict[str, Channel] = {}
        store.listeners.append(self._hear)

    def find(self, channel_id: str) -> Channel | None:
        channel = self._channels.get(channel_id)
        if channel is not None and channel.expires_at <= self._store.now():
            del self._channels[channel_id]
            return None
        return channel

    def open(self, channel: Channel) -> None:
        """The first message says that it is open."""
        if self.find(channel.id) is not None:
            raise DriveError(400, "channelIdNotUnique", f"Channel id {channel.id} not unique", domain="push")
        if len(self._channels) >= CHANNELS_COUNT_MAX:
            raise DriveError.forbidden("rateLimitExceeded", "Too many channels.")
        self._channels[channel.id] = channel
        self._send(channel, "sync")

    def close(self, channel: Channel) -> None:
        self._channels.pop(channel.id, None)

    def _hear(self, changes: list[Change]) -> None:
        """A channel for one file hears of each change of it, one for all changes that there is something to see."""
        now = self._store.now()
        for channel in list(self._channels.values()):
            if channel.expires_at <= now:
                del self._channels[channel.id]
            elif channel.file_id is None:
                if any(_concerns(channel, change) for change in changes):
                    self._send(channel, "change")
            else:
                for change in changes:
                    if change.file_id == channel.file_id:
                        self._send(channel, change.state, change.aspects)

    def _send(self, channel: Channel, state: str, aspects: frozenset[str] = frozenset()) -> None:
        channel.sent_count += 1
        headers = {
            "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
            "Content-Type": "application/json; utf-8",
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Expiration": format_datetime(channel.expires_at, usegmt=True),
            "X-Goog-Message-Number": str(channel.sent_count),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-State": state,
            "X-Goog-Resource-URI": channel.resource_uri,
        }
        if channel.token is not None:
            headers["X-Goog-Channel-Token"] = channel.token
        if aspects and state == "update":
            headers["X-Goog-Changed"] = ",".join(sorted(aspects))
        body = b'{"kind":"drive#changes"}' if state == "change" else b""
        self._notices.post(channel.address, body=body, headers=headers)


def _concerns(channel: Channel, change: Change) -> bool:
    return channel.user_number in change.audience and channel.drive_id in {None, change.drive_id}


def check_address(address: str) -> None:
    """Only HTTPS is told anything; plain HTTP on this machine alone, which Drive itself could not reach."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return
    raise DriveError(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")


def choose_end(now: datetime, wanted: datetime | None, *, is_for_file: bool) -> datetime:
    """When a channel ends: as was wished, within what Drive allows."""
    seconds_max = FILE_SECONDS_MAX if is_for_file else CHANGES_SECONDS_MAX
    latest = now + timedelta(seconds=seconds_max)
    if wanted is None:
        return now + timedelta(seconds=FILE_SECONDS_DEFAULT) if is_for_file else latest
    return min(wanted, latest)
