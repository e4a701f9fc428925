"""What a creator is told of a twin: its earnings, and how many people have complained."""

from typing import Protocol

from bot.creators.standing import Standing
from bot.creators.statement_links import StatementLinks
from bot.domain.manifest import Manifest
from bot.domain.settlement import NANO_PER_UNIT
from bot.ports.creator_store import DraftContent
from bot.ports.views import EarningsLine
from bot.settlement.statement import EarningsStatements


class ReportCount(Protocol):
    """Knows people's complaints."""

    async def reports_of(self, twin: bytes) -> int:
        """Return how many people have complained about a twin's replies."""
        ...


class CreatorStatements:
    """Joins book, chain and complaints for one twin."""

    def __init__(
        self,
        *,
        earnings: EarningsStatements,
        reports: ReportCount | None,
        token: str,
        links: StatementLinks | None = None,
    ) -> None:
        self._links = links
        self._earnings = earnings
        self._reports = reports
        self._token = token

    async def earnings(self, content: DraftContent, standing: Standing | None) -> EarningsLine:
        """Return what a twin has earned; zeros before its first version."""
        if standing is None:
            return EarningsLine(content.persona.name, self._token, 0, 0, 0, "", None, None)
        manifest = standing.newest
        statement = await self._earnings.statement(manifest.twin)
        balance = statement.payout_balance_units
        return EarningsLine(
            twin_name=manifest.name,
            token=manifest.price_token,
            accrued_nano=statement.earned_nano,
            committed_nano=statement.committed_units * NANO_PER_UNIT,
            claimed_nano=(statement.claimed_units or 0) * NANO_PER_UNIT,
            payout=manifest.payout,
            chain_balance_nano=None if balance is None else balance * NANO_PER_UNIT,
            last_tx=None if statement.commit_hash is None else f"0x{statement.commit_hash.hex()}",
            held_nano=statement.held_nano,
            statement=self._link(manifest, statement.claimed_units),
        )

    def _link(self, manifest: Manifest, claimed_units: int | None) -> str:
        if self._links is None:
            return ""
        return self._links.issue(
            twin=manifest.twin,
            name=manifest.name,
            token=manifest.price_token,
            paid_nano=None if claimed_units is None else claimed_units * NANO_PER_UNIT,
        )

    async def reports(self, standing: Standing | None) -> int:
        """Return how many people have complained."""
        if standing is None or self._reports is None:
            return 0
        return await self._reports.reports_of(standing.newest.twin)
