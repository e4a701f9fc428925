"""Verify this reply: is a message ours, is it as we wrote it, does its receipt exist."""

import discord

from adapters.discord_chat.draft import digest_of
from bot.domain.wording import UNPROVED
from bot.ports.discord_state import DiscordState, Post
from bot.ports.proofs import ProofSource

NOT_OURS = (
    "**Not ours.** This service did not write this message, whatever name and picture it shows."
)
NO_REPLY = (
    "This message was written by this service, but I have no receipt for it: it is no twin's "
    "reply, or a reply that was taken back or forgotten."
)
GROWING = "This reply is not finished yet, or was never finished: it has no receipt."
EDITED = (
    "**Edited.** This service wrote this message, but its text is not the text of the receipt. "
    "The receipt: <{link}>"
)
UNLOGGED = (
    "The sender and the text are genuine. The receipt is not in the public log yet, or its proof "
    "was erased. Try again in some seconds: <{link}>"
)
GENUINE = (
    "**Genuine.** The sender is this service, the text is as it was written ({part}), and its "
    "receipt is in the public log: <{link}>\n-# The link lets you check that without trusting "
    "this service. {unproved}"
)


class Verifier:
    """Judges messages by ids, digests and receipts, never by how they look."""

    def __init__(
        self, *, state: DiscordState, proofs: ProofSource, account: int, public_base_url: str
    ) -> None:
        self._state = state
        self._proofs = proofs
        self._account = account
        self._base = public_base_url.rstrip("/")

    async def judge(self, message: discord.Message) -> str:
        """Return what to say about a message; its content must be known."""
        by_webhook = message.webhook_id is not None and message.author.id != self._account
        sender = str(message.webhook_id if by_webhook else message.author.id)
        is_ours = sender == str(self._account)
        if by_webhook:
            is_ours = await self._state.is_webhook(sender)
        post = await self._state.post(str(message.id))
        if not is_ours or (post is not None and post.sender != sender):
            return NOT_OURS
        if post is None:
            return NO_REPLY
        return await self._judge_text(message, post) if post.receipt else GROWING

    async def _judge_text(self, message: discord.Message, post: Post) -> str:
        link = f"{self._base}/r/{post.receipt}"
        if digest_of(message.content) != post.digest:
            return EDITED.format(link=link)
        if await self._proofs.bundle(post.receipt) is None:
            return UNLOGGED.format(link=link)
        count = len({other.part for other in await self._state.posts_of(post.asked)})
        part = "all of it" if count == 1 else f"part {post.part + 1} of {count}"
        return GENUINE.format(link=link, part=part, unproved=UNPROVED)
