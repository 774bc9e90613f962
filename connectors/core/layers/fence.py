"""Holds back writes of work that may be somebody else's by now."""

from __future__ import annotations

from connectors.core.call import Repeat, ReplyT, RequestT, Send, read_intent
from connectors.core.fence import pass_fence


def fence_writes(send: Send[RequestT, ReplyT]) -> Send[RequestT, ReplyT]:
    """Every attempt at anything but a read passes the fence that its task works behind, if there is one."""

    async def send_fenced(request: RequestT) -> ReplyT:
        if read_intent(request).repeat is not Repeat.SAFE:
            await pass_fence()
        return await send(request)

    return send_fenced
