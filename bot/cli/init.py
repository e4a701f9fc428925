"""`init`: a few questions, and config.toml with its comments and the tokens' files are there.

Everything is checked as it is answered and written at the end, the configuration last; a token is
neither shown nor written anywhere but into its own file.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from bot.cli import answers, printing
from bot.cli.config_text import Value, fill_example
from bot.cli.questions import Questions
from bot.cli.writing import write_files
from bot.config import load_settings
from bot.domain.errors import ConfigurationError, UserError
from bot.wiring.setup import EXAMPLE, hash_model, persona_slugs, read_token

SECRET_BYTES = 32
DISCORD, TELEGRAM = "Discord token", "Telegram token"


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line answers beforehand; None is asked, or takes the default."""

    config: Path
    data: str | None = None
    address: str | None = None
    port: str | None = None
    discord_token_file: Path | None = None
    telegram_token_files: tuple[str, ...] = ()
    updates: str | None = None
    creators: str | None = None
    model: str | None = None
    force: bool = False


@dataclass(slots=True)
class Plan:
    """What will be written: values of the configuration, and secrets by their file."""

    values: dict[tuple[str, str], Value] = field(default_factory=dict)
    secrets: dict[Path, str] = field(default_factory=dict, repr=False)


def init(given: Given, *, interactive: bool) -> int:
    """Ask, check, write; return the exit code.

    Raises:
        ConfigurationError: something can't be read or written, or would be overwritten.
        UserError: an answer that was given beforehand is wrong.
    """
    setup = _Setup(given, Questions(interactive=interactive))
    setup.may_replace(given.config)
    plan = setup.plan()
    text = fill_example(_example(), plan.values)
    files = {path: f"{secret}\n" for path, secret in plan.secrets.items()}
    write_files(files | {given.config: text})
    load_settings(given.config)
    _conclude(given.config, list(plan.secrets), setup)
    return 0


class _Setup:
    """Asks the questions, in the order in which a person can answer them."""

    def __init__(self, given: Given, questions: Questions) -> None:
        self._given = given
        self._questions = questions
        self._plan = Plan()
        self.address = ""
        self.has_platforms = False

    def plan(self) -> Plan:
        """Ask everything."""
        self._service()
        discord = self._discord()
        telegram = self._telegram()
        self.has_platforms = discord or telegram
        if self.has_platforms or self._given.creators is not None:
            self._creators()
        if not telegram and self._given.updates is not None:
            raise UserError("How Telegram's messages arrive needs a Telegram bot: name its token.")
        self._model()
        return self._plan

    def may_replace(self, path: Path) -> None:
        """Ask before a file is replaced.

        Raises:
            ConfigurationError: nobody says that it may be.
        """
        if not path.exists() or self._given.force:
            return
        if not self._questions.interactive:
            raise ConfigurationError(f"{path} is there already: add --force to replace it.")
        if not self._questions.ask(f"{path} is there already. Replace it? y/n", _choice):
            raise ConfigurationError(f"{path} stays as it is; name another file with --config.")

    def _service(self) -> None:
        ask, given = self._questions.ask, self._given
        self._questions.explain(
            "Data folder",
            "Holds the book, the keys and the chain. Back it up, and keep it private.",
        )
        folder = ask("Folder", answers.check_folder, given=given.data, default="data")
        self._questions.explain(
            "Port", "Where the proof pages listen, on this machine only; a proxy stands in front."
        )
        port = ask("Port", answers.check_port, given=given.port, default="8800")
        self._questions.explain(
            "Public address",
            "What proof links begin with, such as https://twins.example.org: your domain, which a",
            "reverse proxy with TLS forwards here (docs/operators.md). Links that were given out",
            "can't be changed. Empty: this machine only, for trying it.",
        )
        self.address = ask("Address", answers.check_address, given=given.address)
        self._set("service", data_dir=folder, port=port, base_url=self.address)

    def _discord(self) -> bool:
        file = self._given.discord_token_file
        if file is not None:
            answers.check_discord_token(read_token(file, DISCORD))
        else:
            self._questions.explain(
                "Discord",
                "One application speaks for all twins. Make it and copy its bot token at",
                "https://discord.com/developers/applications (docs/discord.md, steps 1 to 4).",
            )
            if not self._questions.ask("Serve Discord? y/n", _choice, default="n"):
                return False
            token = self._questions.ask(
                "Bot token (not shown)", answers.check_discord_token, hidden=True
            )
            file = self._keep("discord.token", token)
        self._set("discord", token_file=str(file))
        return True

    def _telegram(self) -> bool:
        bots = [self._given_bot(text) for text in self._given.telegram_token_files]
        if not bots:
            self._questions.explain(
                "Telegram",
                "Each bot is a lobby with all twins, or one twin. Make bots and copy their tokens",
                "at https://t.me/BotFather with /newbot (docs/telegram.md).",
            )
            if not self._questions.ask("Serve Telegram? y/n", _choice, default="n"):
                return False
            bots = self._new_bots()
        self._set("telegram", bots=bots)
        self._updates()
        return True

    def _given_bot(self, text: str) -> dict[str, str]:
        """Read FILE, or FILE=TWIN."""
        name, _, twin = text.partition("=")
        answers.check_telegram_token(read_token(Path(name), TELEGRAM))
        return _bot(Path(name), answers.check_slug(twin))

    def _new_bots(self) -> list[dict[str, str]]:
        bots: list[dict[str, str]] = []
        numbers: set[str] = set()
        while not bots or self._questions.ask("One more bot? y/n", _choice, default="n"):
            token = self._questions.ask(
                "Bot token (not shown)", answers.check_telegram_token, hidden=True
            )
            number = token.partition(":")[0]
            if number in numbers:
                printing.say("  This bot is named already.", "red")
                continue
            numbers.add(number)
            known = ", ".join(persona_slugs())
            twin = self._questions.ask(
                f"Only this twin (such as {known}; empty: a lobby with all)", answers.check_slug
            )
            bots.append(_bot(self._keep(f"telegram-{number}.token", token), twin))
        return bots

    def _updates(self) -> None:
        self._questions.explain(
            "How Telegram's messages arrive",
            "polling needs no open port. webhook is quicker with many bots, and needs a public",
            "https address; its secret is made here.",
        )
        is_webhook = self._questions.ask(
            "polling or webhook", self._check_updates, given=self._given.updates,
            default=answers.POLLING,
        )  # fmt: skip
        if is_webhook:
            secret = secrets.token_hex(SECRET_BYTES)
            self._set("telegram", webhook_secret_file=str(self._keep("webhook.secret", secret)))

    def _check_updates(self, text: str) -> bool:
        is_webhook = answers.check_updates(text)
        if is_webhook and not self.address.startswith("https://"):
            raise UserError("A webhook needs a public https address: answer polling for now.")
        return is_webhook

    def _creators(self) -> None:
        self._questions.explain(
            "Who may make twins with /creator",
            "nobody: only the persona files are served. everybody: whoever finds the bot. Or",
            "accounts: discord:ID (Developer Mode, Copy User ID), telegram:ID (the bot tells",
            "whom it refuses their own id).",
        )
        accounts = self._questions.ask(
            "Creators", answers.check_creators, given=self._given.creators, default=answers.NOBODY
        )
        self._set("creators", accounts=accounts)

    def _model(self) -> None:
        self._questions.explain(
            "Model",
            "A GGUF file with Q8_0 weights and a chat template. starter: the tiny model of this",
            "project, which is for trying the service and makes mistakes.",
        )
        path, digest = self._questions.ask(
            "File", _check_model, given=self._given.model, default=answers.STARTER
        )
        self._set("model", path=path, sha256=digest)

    def _set(self, section: str, **values: Value) -> None:
        self._plan.values |= {(section, key): value for key, value in values.items()}

    def _keep(self, name: str, secret: str) -> Path:
        """Plan a secret's file beside the configuration; a relative name where that is one."""
        path = self._given.config.parent / name
        self.may_replace(path)
        self._plan.secrets[path] = secret
        return path


def _bot(file: Path, twin: str) -> dict[str, str]:
    return {"token_file": str(file)} | ({"twin": twin} if twin else {})


def _choice(text: str) -> bool:
    return answers.check_choice(text)


def _check_model(text: str) -> tuple[str, str]:
    """Return a model's path and its SHA-256; both empty for the starter model."""
    path = answers.check_model_path(text)
    if not path:
        return "", ""
    with printing.step_bar() as bar:
        return path, asyncio.run(hash_model(Path(path), bar))


def _example() -> str:
    try:
        return EXAMPLE.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{EXAMPLE} can't be read: {error.strerror}.") from error


def _conclude(config: Path, written: list[Path], setup: _Setup) -> None:
    """Say what was written and what comes next."""
    printing.say("")
    for path in [*written, config]:
        printing.say(f"Written: {path} (mode 600)")
    named = "" if config == Path("config.toml") else f" --config {config}"
    if not setup.address:
        printing.say("Proof links work on this machine only until [service] base_url is set.")
    if not setup.has_platforms:
        printing.say(f"Next: twinproof demo{named}")
        return
    printing.say(f"Next: twinproof doctor{named}, and then: twinproof serve{named}")
