"""Settings: one TOML file and the environment, checked once, frozen, unknown keys refused.

Read by the command line and `wiring` only; everything else is handed plain values. Every key, its
default and its reason stand in config.example.toml; a test compares the two.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from bot.crypto.ed25519 import check_public_key
from bot.crypto.errors import FormatError
from bot.domain.errors import ConfigurationError
from bot.domain.payment import MAX_FREE_DAILY, MAX_OPERATOR_BP

ENVIRONMENT_PREFIX = "TWINPROOF_"
_ACCOUNT = r"^(0x[0-9a-fA-F]{40})?$"
_KEY = r"^[0-9a-f]{64}$"
_AMOUNT = r"^\d{1,9}(\.\d{1,9})?$"
_AMOUNT_OR_NONE = r"^(\d{1,9}(\.\d{1,9})?)?$"
_AMOUNTS = frozenset(
    {"sponsorship", "worth", "cost", "fan_daily", "twin_daily", "server_daily", "highest_price"}
)
_ADDRESS = r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceSettings(_Section):
    """Where the service keeps its data and listens."""

    data_dir: Path = Path("data")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8800
    base_url: Annotated[str, Field(pattern=_ADDRESS)] = ""


class ModelSettings(_Section):
    """Which model answers; empty means the starter model of this tree."""

    path: str = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    name: Annotated[str, Field(max_length=64)] = ""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    parallel: Annotated[int, Field(ge=0, le=200)] = 0
    context: Annotated[int, Field(ge=0, le=131_072)] = 0
    gpu_layers: Annotated[int, Field(ge=-1, le=10_000)] = 0
    state_disk_mb: Annotated[int, Field(ge=0)] = 4096
    store: Annotated[str, Field(min_length=1)] = "models"
    loaded: Annotated[int, Field(ge=1, le=64)] = 2
    spare_mb: Annotated[int, Field(ge=0)] = 512


class PersonaSettings(_Section):
    """Which twins are served."""

    folder: str = ""


class LimitSettings(_Section):
    """What one fan may do."""

    daily_messages: Annotated[int, Field(ge=1)] = 500
    message_chars: Annotated[int, Field(ge=1, le=4000)] = 1000
    cooldown_seconds: Annotated[int, Field(ge=0, le=3600)] = 0


class RateSettings(_Section):
    """One thing that fans can buy on a platform, and what it is worth as credit."""

    unit: Annotated[str, Field(pattern=r"^(telegram-star|discord-sku:[1-9]\d{0,19})$")]
    worth: Annotated[str, Field(pattern=_AMOUNT)]
    counts: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = ()
    cost: Annotated[str, Field(pattern=_AMOUNT_OR_NONE)] = ""


class MoneySettings(_Section):
    """Who pays and who gets what."""

    sponsorship: Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,6})?$")] = "1000"
    operator_bp: Annotated[int, Field(ge=0, le=MAX_OPERATOR_BP)] = 1500
    epoch_seconds: Annotated[int, Field(ge=5)] = 60
    fan_daily: Annotated[str, Field(pattern=_AMOUNT)] = "5"
    twin_daily: Annotated[str, Field(pattern=_AMOUNT_OR_NONE)] = "100"
    server_daily: Annotated[str, Field(pattern=_AMOUNT_OR_NONE)] = "20"
    anchor_hours: Annotated[int, Field(ge=1, le=8760)] = 168
    dispute_days: Annotated[int, Field(ge=1, le=3650)] = 30
    held_hours: Annotated[int, Field(ge=0, le=8760)] = 504
    rates: Annotated[tuple[RateSettings, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _check_anchors(self) -> Self:
        # A reply's epoch begins up to one interval after it, and may wait for the one before.
        if self.anchor_hours * 3600 <= 2 * self.epoch_seconds:
            raise ValueError("anchor_hours must be more than twice epoch_seconds")
        if self.dispute_days * 24 <= self.anchor_hours:
            # Else nobody could dispute in time what was never anchored.
            raise ValueError("dispute_days must be a longer time than anchor_hours")
        return self


class SettlementSettings(_Section):
    """Which chain fees are settled on; the embedded one while no RPC is named."""

    rpc_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    chain_id: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0
    contract: Annotated[str, Field(pattern=_ACCOUNT)] = ""
    token: Annotated[str, Field(pattern=_ACCOUNT)] = ""
    settler_key: str = ""
    relayer_key: str = ""
    password_file: str = ""
    settler_command: tuple[str, ...] = ()
    settler_account: Annotated[str, Field(pattern=_ACCOUNT)] = ""
    relayer_command: tuple[str, ...] = ()
    relayer_account: Annotated[str, Field(pattern=_ACCOUNT)] = ""
    second_rpc_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    finality: Annotated[int, Field(ge=1, le=10_000)] | Literal["safe", "finalized"] = "finalized"
    patience_seconds: Annotated[int, Field(ge=1, le=86_400)] = 120
    max_fee_gwei: Annotated[int, Field(ge=1, le=1_000_000)] = 100


class CreatorSettings(_Section):
    """Who may make twins with commands."""

    accounts: tuple[Annotated[str, Field(pattern=r"^(\*|(discord|telegram):(\*|\d+))$")], ...] = ()
    twins_each: Annotated[int, Field(ge=1, le=100)] = 5
    highest_price: Annotated[str, Field(pattern=r"^\d{1,6}(\.\d{1,9})?$")] = "0.1"
    most_free_daily: Annotated[int, Field(ge=0, le=MAX_FREE_DAILY)] = 500


class DiscordSettings(_Section):
    """The Discord application; off while it has no token."""

    token_file: str = ""
    message_content: bool = True
    api_base: Annotated[str, Field(pattern=_ADDRESS)] = ""
    gateway_url: Annotated[str, Field(pattern=r"^(wss?://\S+)?$")] = ""


class TelegramBot(_Section):
    """One Telegram bot: of all twins, or of one."""

    token_file: Annotated[str, Field(min_length=1)]
    twin: str = ""


class TelegramSettings(_Section):
    """The operator's Telegram bots; off while there are none."""

    bots: tuple[TelegramBot, ...] = ()
    api_base: Annotated[str, Field(pattern=_ADDRESS)] = ""
    file_base: Annotated[str, Field(pattern=_ADDRESS)] = ""
    webhook_secret_file: str = ""


def _check_key(text: str) -> str:
    try:
        check_public_key(bytes.fromhex(text))
    except FormatError as error:
        raise ValueError(str(error)) from error
    return text


_Ed25519Key = Annotated[str, Field(pattern=_KEY), AfterValidator(_check_key)]


class WitnessSettings(_Section):
    """A witness that is asked to cosign the heads of the transparency log."""

    url: Annotated[str, Field(pattern=_ADDRESS, min_length=1)]
    key: Annotated[str, Field(min_length=1, max_length=300)]


class LogSettings(_Section):
    """How the program speaks to its operator, and who witnesses the transparency log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    witnesses: Annotated[tuple[WitnessSettings, ...], Field(max_length=32)] = ()
    quorum: Annotated[int, Field(ge=0, le=32)] = 0
    auditors: Annotated[tuple[_Ed25519Key, ...], Field(max_length=256)] = ()


class Settings(BaseSettings):
    """All settings; `TWINPROOF_SERVICE__PORT=8801` overrides `[service] port`."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )

    service: ServiceSettings = ServiceSettings()
    model: ModelSettings = ModelSettings()
    personas: PersonaSettings = PersonaSettings()
    limits: LimitSettings = LimitSettings()
    money: MoneySettings = MoneySettings()
    settlement: SettlementSettings = SettlementSettings()
    creators: CreatorSettings = CreatorSettings()
    discord: DiscordSettings = DiscordSettings()
    telegram: TelegramSettings = TelegramSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings(path: Path | None) -> Settings:
    """Read the file, if there is one, and the environment.

    Raises:
        ConfigurationError: one sentence that names the file, the key and what to do.
    """
    values: dict[str, Any] = {}
    where = "the environment" if path is None else str(path)
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The configuration {path} can't be read: {error}.") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"The configuration {path} is not TOML: {error}.") from error
    for key in values.keys() - Settings.model_fields.keys():
        raise ConfigurationError(_no_such_key(where, key))
    for name in os.environ:
        section = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")[0].lower()
        ours = name.startswith(ENVIRONMENT_PREFIX) and "__" in name
        if ours and section not in Settings.model_fields:
            raise ConfigurationError(_no_such_key("the environment", name))
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigurationError(_sentence(where, error.errors()[0])) from error
    except SettingsError as error:
        raise ConfigurationError(f"The environment is wrong: {error}.") from error


def _sentence(where: str, error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return _no_such_key(where, key)
    if error["type"] == "string_pattern_mismatch" and key.endswith(("base_url", "_base")):
        return f"{where}: {key} is wrong: it must begin with http:// or https://, without ? or #."
    if error["type"] == "string_pattern_mismatch" and key.startswith("settlement."):
        wanted = "http:// or https://" if key.endswith("rpc_url") else "0x and 40 hex digits"
        return f"{where}: {key} is wrong: it must be an address, {wanted}."
    if error["type"] == "string_pattern_mismatch" and str(error["loc"][-1]) in _AMOUNTS:
        return f'{where}: {key} is wrong: it must be a decimal number such as "0.5".'
    if key.startswith("log.auditors"):
        return f"{where}: {key} is wrong: it must be what `twinproof audit-key` prints."
    reason = error["msg"].removeprefix("Value error, ")  # the library's word for our own sentences
    return f"{where}: {key} is wrong: {reason}."


def _no_such_key(where: str, key: str) -> str:
    return f"{where}: there is no key {key}; config.example.toml lists them all."
