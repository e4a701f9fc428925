"""Which chat platforms the operator has configured, and what each needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.config import DiscordSettings, Settings, TelegramSettings
from bot.domain.errors import ConfigurationError
from bot.ports.chat import ChatInbox
from bot.ports.creators import CreatorDesk
from bot.ports.proofs import ProofSource
from bot.ports.secrets import SecretStore
from bot.ports.surfaces import ChatSurface
from bot.wiring.stores import Stores

if TYPE_CHECKING:
    from adapters.telegram_chat.chat import TelegramChat


@dataclass(frozen=True, slots=True)
class Platforms:
    """The configured platforms by name.

    Attributes:
        routes: what the web server mounts for them; of its own library, and nothing else's matter.
    """

    surfaces: dict[str, ChatSurface]
    routes: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Doors:
    """What every chat platform is handed: the core's doors, and where links begin."""

    inbox: ChatInbox
    proofs: ProofSource
    creators: CreatorDesk
    secrets: SecretStore
    base_url: str


NO_PLATFORMS = Platforms(surfaces={})


def build_platforms(settings: Settings, stores: Stores, doors: Doors) -> Platforms:
    """Build the surfaces that the settings name; nothing connects yet.

    Raises:
        ConfigurationError: none is configured, or a token can't be read.
    """
    surfaces: dict[str, ChatSurface] = {}
    routes: Sequence[Any] = ()
    if settings.discord.token_file:
        surfaces["Discord"] = _discord(settings.discord, stores, doors)
    if settings.telegram.bots:
        telegram = _telegram(settings.telegram, stores, doors)
        surfaces["Telegram"] = telegram
        routes = telegram.routes()
    if not surfaces:
        raise ConfigurationError(
            "No chat platform is configured: set [discord] token_file or [telegram] bots, or try "
            "the service here with: twinproof demo."
        )
    return Platforms(surfaces, routes)


def _discord(settings: DiscordSettings, stores: Stores, doors: Doors) -> ChatSurface:
    from adapters.discord_chat.chat import DiscordChat
    from adapters.files.secrets import read_secret

    return DiscordChat(
        inbox=doors.inbox,
        proofs=doors.proofs,
        creators=doors.creators,
        store=stores.discord,
        token=read_secret(Path(settings.token_file), "Discord token"),
        api_base=settings.api_base or None,
        gateway_url=settings.gateway_url or None,
        public_base_url=doors.base_url,
        message_content=settings.message_content,
    )


def _telegram(settings: TelegramSettings, stores: Stores, doors: Doors) -> "TelegramChat":
    from adapters.files.secrets import read_secret
    from adapters.telegram_chat.chat import TelegramBotSettings, TelegramChat

    webhook = None
    if settings.webhook_secret_file:
        secret = read_secret(Path(settings.webhook_secret_file), "Telegram webhook secret")
        webhook = (doors.base_url, secret)
    return TelegramChat(
        inbox=doors.inbox,
        proofs=doors.proofs,
        creators=doors.creators,
        secrets=doors.secrets,
        state=stores.telegram,
        bots=[
            TelegramBotSettings(
                token=read_secret(Path(bot.token_file), "Telegram token"), solo=bot.twin or None
            )
            for bot in settings.bots
        ],
        api_base=settings.api_base or None,
        file_base=settings.file_base or None,
        public_base_url=doors.base_url,
        webhook=webhook,
    )
