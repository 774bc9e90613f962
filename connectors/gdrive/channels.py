"""Messages about changes: channels on which Drive calls an address. https://developers.google.com/drive/api/guides/push"""

from __future__ import annotations

import hmac
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.sharing import Hints, Notice, Subscription
from connectors.gdrive.drive import Drive
from connectors.gdrive.errors import build_unexpected
from connectors.gdrive.mapping import read_number
from connectors.gdrive.payloads import Channel

OPENED_MAX = 10  # whose answers get lost one after the other
RESOURCE_ID = "resource_id"


async def subscribe(drive: Drive, *, url: str, secret: str, seconds: int) -> Subscription:
    """Opens a channel for all changes of the account.

    One whose answer was lost cannot be asked about: another takes its place, whose resource it shares, so it can be
    closed.
    """
    start = await drive.api.get_start_token()
    expires_at = drive.clock.now() + timedelta(seconds=seconds)
    asked = {"type": "web_hook", "address": url, "token": secret, "expiration": str(int(expires_at.timestamp() * 1000))}
    lost: list[str] = []
    while True:
        channel_id = str(uuid.uuid4())
        try:
            channel = await drive.api.watch_changes(start, {"id": channel_id, **asked})
            break
        except ConnectorError as error:
            lost.append(channel_id)
            if error.kind is not ErrorKind.ALREADY_EXISTS or not error.is_replay or len(lost) == OPENED_MAX:
                raise
    subscription = _build(channel)
    for channel_id in lost:
        await _close(drive, msgspec.structs.replace(subscription, raw_id=channel_id))
    return subscription


async def renew(drive: Drive, subscription: Subscription, *, url: str, secret: str, seconds: int) -> Subscription:
    """Opens another channel, and only then closes this one."""
    renewed = await subscribe(drive, url=url, secret=secret, seconds=seconds)
    await _close(drive, subscription)
    return renewed


async def unsubscribe(drive: Drive, subscription: Subscription) -> None:
    await drive.api.stop_channel(subscription.raw_id, subscription.state[RESOURCE_ID])


def read_notice(notice: Notice, secret: str) -> Hints:
    """Whose channel it is; nothing for the first message, which only says that the channel is open."""
    headers = notice.headers
    token, channel_id = headers.get("x-goog-channel-token", ""), headers.get("x-goog-channel-id", "")
    if not secret or not channel_id or not hmac.compare_digest(token.encode(), secret.encode()):
        raise ConnectorError(ErrorKind.PERMISSION_DENIED, "this message does not have the token of its channel")
    return Hints(subscription_ids=() if headers.get("x-goog-resource-state") == "sync" else (channel_id,))


async def _close(drive: Drive, subscription: Subscription) -> None:
    """Closes a channel that nobody listens to any more; one that stays open ends by itself."""
    with suppress(ConnectorError):
        await unsubscribe(drive, subscription)


def _build(channel: Channel) -> Subscription:
    return Subscription(
        raw_id=channel.id,
        expires_at=None if channel.expiration is None else _read_end(channel.expiration),
        state={RESOURCE_ID: channel.resource_id},
    )


def _read_end(told: str) -> datetime:
    try:
        return datetime.fromtimestamp(read_number(told) / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:  # outside the calendar
        raise build_unexpected() from error
