"""An operator's check-up: facts as probes bring them, and findings as people read them."""

import re
from dataclasses import dataclass
from enum import StrEnum

DISCORD_TOKEN = re.compile(r"[\w-]{16,}\.[\w-]{4,}\.[\w-]{8,}", re.ASCII)
TELEGRAM_TOKEN = re.compile(r"([0-9]{1,20}):[\w-]{8,128}", re.ASCII)
WEBHOOK_SECRET = re.compile(r"[\w-]{16,256}", re.ASCII)


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It runs, with something missing that somebody will notice."""
    FAULT = "fault"
    """It does not run, or not safely."""
    SKIPPED = "skipped"
    """It could not be looked at now; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check-up; holds no secret.

    Attributes:
        check: short name of what was looked at.
        sentence: what was found.
        remedy: what to do about a warning or a fault; empty otherwise.
    """

    check: str
    state: State
    sentence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DataFolderFacts:
    """A data folder as it lies there.

    Attributes:
        exists: whether the folder is there.
        is_writable: whether this account may write it or, where it is not there yet, make it.
        is_held: whether a running service holds its lock.
        free_bytes: room on its disk for this account.
    """

    exists: bool
    is_writable: bool
    is_held: bool
    free_bytes: int


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file or folder that others than its owner may read or write; `mode` in octal."""

    path: str
    mode: str


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """What a model file says of itself, and what running it takes.

    Attributes:
        architecture: such as `llama`.
        weights: the file's own number for how its weights are stored; 7 means mostly Q8_0.
        has_template: whether it holds a chat template.
        needed_bytes: estimate of the engine's memory: weights, caches, one batch of logits.
    """

    architecture: str
    weights: int
    has_template: bool
    needed_bytes: int


@dataclass(frozen=True, slots=True)
class DiscordServer:
    """A server that the application has joined, with its permissions there as Discord's bits."""

    id: str
    name: str
    permissions: int


@dataclass(frozen=True, slots=True)
class DiscordFacts:
    """What Discord says of an application.

    Attributes:
        reads_messages: whether the message-content intent is on in the application's settings.
        is_limited: whether it is on as for an application that Discord has not verified.
        servers: those that it has joined, all of them.
        skew_s: seconds by which this machine's clock is ahead; None where it was not told.
    """

    application: str
    application_id: str
    reads_messages: bool
    is_limited: bool
    servers: tuple[DiscordServer, ...]
    skew_s: float | None


@dataclass(frozen=True, slots=True)
class TelegramFacts:
    """What Telegram says of a bot.

    Attributes:
        reads_all: whether privacy mode is off.
        makes_bots: whether people can have bots made that this one controls.
        joins_groups: whether it may be invited to groups.
        webhook: the address that Telegram calls; empty for polling.
        pending: updates that wait for delivery.
        last_error: why Telegram could not deliver lately; empty if it could.
        is_contested: whether another program polls with this token; None if that was not tried.
        skew_s: seconds by which this machine's clock is ahead; None where it was not told.
    """

    number: str
    username: str
    reads_all: bool
    makes_bots: bool
    joins_groups: bool
    webhook: str
    pending: int
    last_error: str
    is_contested: bool | None
    skew_s: float | None
