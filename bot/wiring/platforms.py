"""Which chat platforms the operator has configured, and what each needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.config import DiscordSettings, Settings, TelegramSettings
from bot.domain.errors import ConfigurationError
from bot.ports.chat import ChatInbox
from bot.ports.creators import CreatorDesk
from bot.ports.credit import FanCredit
from bot.ports.proofs import ProofSource
from bot.ports.secrets import SecretStore
from bot.ports.surfaces import ChatSurface
from bot.wiring.stores import Stores

if TYPE_CHECKING:
    from adapters.telegram_chat.chat import TelegramChat


@dataclass(frozen=True, slots=True)
class Access:
    """What was read of the operator's tokens; never shown.

    Attributes:
        discord: the application's token; None: Discord is not served.
        telegram: the bots' tokens, in the order of the settings; none: Telegram is not served.
        webhook: where Telegram is to call, and with which secret; None for polling.
        refused: platforms that are off though they are configured, and why, in one sentence.
    """

    discord: str | None = field(default=None, repr=False)
    telegram: tuple[str, ...] = field(default=(), repr=False)
    webhook: tuple[str, str] | None = field(default=None, repr=False)
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Platforms:
    """The configured platforms by name.

    Attributes:
        routes: what the web server mounts for them; of its own library, and nothing else's matter.
        refused: platforms that are off though they are configured, and why, in one sentence.
    """

    surfaces: dict[str, ChatSurface]
    routes: Sequence[Any] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doors:
    """What every chat platform is handed: the core's doors, and where links begin."""

    inbox: ChatInbox
    proofs: ProofSource
    creators: CreatorDesk
    secrets: SecretStore
    base_url: str
    credit: FanCredit


NO_PLATFORMS = Platforms(surfaces={})


def read_access(settings: Settings, base_url: str) -> Access:
    """Read the tokens that the settings name; a platform without a usable one is left out.

    Nothing is written, so a start that can serve nobody ends here.

    Raises:
        ConfigurationError: no platform is configured, or none is left.
    """
    discord: str | None = None
    telegram: tuple[str, ...] = ()
    webhook: tuple[str, str] | None = None
    refused: dict[str, str] = {}
    if settings.discord.token_file:
        try:
            discord = _read(settings.discord.token_file, "Discord token")
        except ConfigurationError as error:
            refused["Discord"] = str(error)
    if settings.telegram.bots:
        try:
            telegram, webhook = _read_telegram(settings.telegram, base_url)
        except ConfigurationError as error:
            refused["Telegram"] = str(error)
    if discord is None and not telegram:
        nothing = (
            "No chat platform is configured: set [discord] token_file or [telegram] bots, or try "
            "the service here with: twinproof demo."
        )
        raise ConfigurationError(" ".join(refused.values()) or nothing)
    return Access(discord, telegram, webhook, refused)


def build_platforms(settings: Settings, access: Access, stores: Stores, doors: Doors) -> Platforms:
    """Build the surfaces that there are tokens for; nothing connects yet."""
    surfaces: dict[str, ChatSurface] = {}
    routes: Sequence[Any] = ()
    if access.discord is not None:
        surfaces["Discord"] = _discord(settings.discord, access.discord, stores, doors)
    if access.telegram:
        telegram = _telegram(settings.telegram, access, stores, doors)
        surfaces["Telegram"] = telegram
        routes = telegram.routes()
    return Platforms(surfaces, routes, access.refused)


def _read(file: str, meaning: str) -> str:
    from adapters.files.secrets import read_secret

    return read_secret(Path(file), meaning)


def _read_telegram(
    settings: TelegramSettings, base_url: str
) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    from adapters.telegram_chat.chat import check_bots

    webhook = None
    if settings.webhook_secret_file:
        webhook = (base_url, _read(settings.webhook_secret_file, "Telegram webhook secret"))
    tokens = tuple(_read(bot.token_file, "Telegram token") for bot in settings.bots)
    check_bots(tokens, webhook)
    return tokens, webhook


def _discord(settings: DiscordSettings, token: str, stores: Stores, doors: Doors) -> ChatSurface:
    from adapters.discord_chat.chat import DiscordChat

    return DiscordChat(
        inbox=doors.inbox,
        proofs=doors.proofs,
        creators=doors.creators,
        credit=doors.credit,
        store=stores.discord,
        token=token,
        api_base=settings.api_base or None,
        gateway_url=settings.gateway_url or None,
        public_base_url=doors.base_url,
        message_content=settings.message_content,
    )


def _telegram(
    settings: TelegramSettings, access: Access, stores: Stores, doors: Doors
) -> "TelegramChat":
    from adapters.telegram_chat.chat import TelegramBotSettings, TelegramChat

    return TelegramChat(
        inbox=doors.inbox,
        proofs=doors.proofs,
        creators=doors.creators,
        credit=doors.credit,
        secrets=doors.secrets,
        state=stores.telegram,
        bots=[
            TelegramBotSettings(token=token, solo=bot.twin or None)
            for token, bot in zip(access.telegram, settings.bots, strict=True)
        ],
        api_base=settings.api_base or None,
        file_base=settings.file_base or None,
        public_base_url=doors.base_url,
        webhook=access.webhook,
    )
