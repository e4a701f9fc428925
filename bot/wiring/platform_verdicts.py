"""What the platforms' facts mean for the operator: one finding each, pure."""

from collections.abc import Collection, Mapping

from bot.ports.checks import DiscordFacts, Finding, State, TelegramFacts

MANY_PENDING = 100
ADMINISTRATOR = 1 << 3

# docs/discord.md explains each; a test compares the two. True: without it nobody is answered.
PERMISSIONS = {
    "View Channels": (1 << 10, True),
    "Send Messages": (1 << 11, True),
    "Send Messages in Threads": (1 << 38, False),
    "Read Message History": (1 << 16, False),
    "Manage Webhooks": (1 << 29, False),
    "Change Nickname": (1 << 26, False),
}


def judge_discord(facts: DiscordFacts) -> Finding:
    """Say which application it is and where it is."""
    name = f"application {facts.application} ({facts.application_id})"
    if not facts.servers:
        return Finding(
            "Discord",
            State.WARNING,
            f"the token is valid: {name}, which no server has added yet.",
            f"Open {invitation(facts.application_id)}",
        )
    return Finding(
        "Discord", State.OK, f"the token is valid: {name}, in {_count(facts.servers, 'server')}."
    )


def invitation(application_id: str) -> str:
    """Return the link that adds an application to a server with the permissions that it needs."""
    wanted = sum(bit for bit, _ in PERMISSIONS.values())
    return (
        f"https://discord.com/oauth2/authorize?client_id={application_id}"
        f"&scope=bot+applications.commands&permissions={wanted}"
    )


def judge_intent(facts: DiscordFacts, *, asked: bool) -> Finding:
    """Say whether the application may read messages, and whether the configuration wants it."""
    check = "Discord's message-content intent"
    if facts.reads_messages and asked:
        kind = ", as for applications in under 100 servers" if facts.is_limited else ""
        return Finding(check, State.OK, f"it is on{kind}.")
    if facts.reads_messages:
        return Finding(
            check, State.OK, "it is on at Discord and not asked for: [discord] message_content."
        )
    if asked:
        return Finding(
            check,
            State.WARNING,
            "it is off: twins answer /talk, mentions, buttons and direct messages only.",
            "Switch it on (Developer Portal, Bot, Privileged Gateway Intents), or set "
            "[discord] message_content = false.",
        )
    return Finding(check, State.OK, "it is off, as configured.")


def judge_discord_skus(wrong: Mapping[str, str], count: int) -> list[Finding]:
    """Say which of the rate table's SKUs can be sold; `wrong` has a sentence for each other."""
    check, remedy = "Discord's SKUs", "See docs/discord.md, Selling credit."
    if not wrong:
        return [Finding(check, State.OK, f"all {count} of the rate table can be sold.")]
    return [Finding(check, State.WARNING, sentence, remedy) for sentence in wrong.values()]


def judge_permissions(facts: DiscordFacts) -> list[Finding]:
    """Say in which servers a permission is missing; one finding for all that have them."""
    findings = []
    for server in facts.servers:
        missing = missing_permissions(server.permissions)
        if missing:
            vital = any(PERMISSIONS[name][1] for name in missing)
            findings.append(
                Finding(
                    "Discord's permissions",
                    State.FAULT if vital else State.WARNING,
                    f"in server {server.name} ({server.id}) these are missing: "
                    f"{', '.join(missing)}.",
                    f"Grant them to the bot's role there, or open "
                    f"{invitation(facts.application_id)}&guild_id={server.id}",
                )
            )
    good = len(facts.servers) - len(findings)
    if good:
        where = "every server" if not findings else f"{good} of {len(facts.servers)} servers"
        findings.append(
            Finding(
                "Discord's permissions",
                State.OK,
                f"all that are needed are there in {where}; single channels may differ.",
            )
        )
    return findings


def missing_permissions(have: int) -> list[str]:
    """Return the names of the needed permissions that are not among these bits."""
    if have & ADMINISTRATOR:
        return []
    return [name for name, (bit, _) in PERMISSIONS.items() if not have & bit]


def judge_telegram(facts: TelegramFacts, *, wants_webhook: str, is_serving: bool) -> Finding:
    """Say whether a bot's updates reach this service.

    Args:
        facts: what Telegram says.
        wants_webhook: where the configuration has Telegram call; empty for polling.
        is_serving: whether a service runs on this data folder now.
    """
    check = f"Telegram bot @{facts.username}"
    if facts.is_contested:
        return Finding(
            check,
            State.FAULT,
            "the token is valid, and another program polls with it: they take turns.",
            "Stop the other program; if you don't know it, /revoke the token at @BotFather.",
        )
    mode, changes = _mode(facts, wants_webhook)
    seen = "sees all messages of groups (privacy mode off)" if facts.reads_all else "privacy mode"
    what = f"the token is valid; {mode}; {seen}; {facts.pending} updates wait."
    if facts.webhook and facts.last_error:
        return Finding(
            check,
            State.WARNING,
            f"{what} Telegram could not deliver: {facts.last_error}.",
            "Check the reverse proxy and its certificate: docs/operators.md.",
        )
    if changes and is_serving:
        return Finding(
            check, State.WARNING, what, "Restart the service, or stop the one that set it."
        )
    if is_serving and facts.pending > MANY_PENDING:
        return Finding(
            check, State.WARNING, what, "Look at twinproof.log: updates come in and are not taken."
        )
    return Finding(check, State.OK, what)


def judge_privacy(facts: TelegramFacts) -> Finding | None:
    """Say what a bot without privacy mode means; nothing about one with it."""
    if not (facts.reads_all and facts.joins_groups):
        return None
    return Finding(
        f"Telegram bot @{facts.username}, privacy mode",
        State.WARNING,
        "it is off: Telegram sends every message of its groups to this machine.",
        "Send /setprivacy to @BotFather and choose Enable, unless that is meant.",
    )


def judge_twins(wanted: Mapping[str, str], known: Collection[str]) -> list[Finding]:
    """Name the bots whose only twin does not exist.

    Args:
        wanted: the twin's short name, by the file of the bot's token.
        known: short names of persona files and of published twins.
    """
    return [
        Finding(
            f"Telegram bot of {file}",
            State.WARNING,
            f"its only twin, {slug!r}, is in no persona file and is not published: it answers "
            "nobody.",
            "Correct twin in [telegram] bots, or publish that twin.",
        )
        for file, slug in wanted.items()
        if slug not in known
    ]


def judge_managed(facts: TelegramFacts) -> Finding:
    """Say whether creators can have a bot made by one tap."""
    check = f"Telegram bot @{facts.username}, managed bots"
    if facts.makes_bots:
        return Finding(check, State.OK, "creators can have a bot of their own made with one tap.")
    return Finding(
        check,
        State.OK,
        "off: creators' twins speak through the lobby. docs/telegram.md says how to switch it on.",
    )


def _mode(facts: TelegramFacts, wanted: str) -> tuple[str, bool]:
    """Return how updates come, in words, and whether the next start changes it."""
    if facts.webhook == wanted:
        return ("webhook as configured" if wanted else "polling, as configured"), False
    if not wanted:
        return "a webhook is set, which the service removes when it starts", True
    if facts.webhook:
        return "another webhook is set, which the service replaces when it starts", True
    return "no webhook is set yet, the service sets it when it starts", True


def _count(things: tuple[object, ...], name: str) -> str:
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")
