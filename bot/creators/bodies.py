"""The exact bytes that a creator signs: built for an address, and read again when they come back.

What is built depends on the request and the store alone, so asking again gives the same bytes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.creators.drafts import persona_file
from bot.creators.standing import Standing
from bot.crypto.eip712 import SigningData
from bot.crypto.errors import FormatError
from bot.domain.errors import ConfigurationError, InvariantError, UserError
from bot.domain.manifest import Manifest, encode_manifest, parse_manifest, signing_data
from bot.domain.order import OrderAction, TwinOrder, order_data, parse_order
from bot.ports.creator_store import SigningTicket
from bot.ports.inference import InferenceEngine
from bot.twins.publish import OperatorTerms, Signers, check_persona, draft_manifest

CLOCK_GRACE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class PreparedBody:
    """What one address signs.

    Attributes:
        value: the manifest or order.
        body: its canonical bytes.
        data: the EIP-712 struct.
        signer: EIP-55 address whose signature it needs.
    """

    value: Manifest | TwinOrder
    body: bytes
    data: SigningData
    signer: str


class SigningBodies:
    """Builds and reads manifests and orders for requests."""

    def __init__(self, *, engine: InferenceEngine, terms: OperatorTerms) -> None:
        self._engine = engine
        self._terms = terms

    async def prepare(
        self, ticket: SigningTicket, standing: Standing | None, *, creator: str, payout: str
    ) -> PreparedBody:
        """Build what a request asks an address to sign.

        Raises:
            UserError: the model can't hold the persona, or the order makes no sense any more.
            TransientError: the engine is busy.
        """
        if ticket.content is None:
            order = self._order(ticket, _required(standing))
            return _of_order(order, _required(standing))
        file = persona_file(ticket.slug, ticket.content)
        try:
            await check_persona(self._engine, file)
            manifest = await draft_manifest(
                self._engine,
                self._terms,
                file,
                signers=Signers(creator, payout),
                current=None if standing is None else standing.newest,
                moment=ticket.created_at,
            )
            return _of_manifest(manifest)
        except ConfigurationError as error:
            raise UserError(str(error)) from error
        except FormatError as error:
            raise InvariantError(f"a draft makes no manifest: {error}") from error

    @staticmethod
    def parse(ticket: SigningTicket, standing: Standing | None, body: bytes) -> PreparedBody:
        """Read a body that `prepare` has built for this request."""
        try:
            if ticket.content is not None:
                return _of_manifest(parse_manifest(body))
            return _of_order(parse_order(body), _required(standing))
        except FormatError as error:
            raise InvariantError(f"a prepared body can't be read: {error}") from error

    @staticmethod
    def check_time(prepared: PreparedBody, moment: datetime) -> None:
        """Refuse what may not be accepted now.

        Raises:
            UserError: too late, or this machine's clock is far behind.
        """
        value = prepared.value
        if isinstance(value, Manifest):
            begin, end = value.valid_from, value.valid_until
        else:
            begin, end = value.issued, value.expires
        if not begin - CLOCK_GRACE <= moment <= end:
            raise UserError("The signature is too late or too early: ask for a new link.")

    def _order(self, ticket: SigningTicket, standing: Standing) -> TwinOrder:
        return TwinOrder(
            twin=standing.newest.twin,
            action=OrderAction(ticket.kind),
            number=standing.next_order,
            manifest=ticket.manifest,
            log=self._terms.log.name,
            issued=ticket.created_at,
            expires=ticket.expires_at,
        )


def _of_manifest(manifest: Manifest) -> PreparedBody:
    body = encode_manifest(manifest)
    return PreparedBody(manifest, body, signing_data(manifest), manifest.creator)


def _of_order(order: TwinOrder, standing: Standing) -> PreparedBody:
    newest = standing.newest
    return PreparedBody(order, order.encode(), order_data(order, newest.name), newest.creator)


def _required(standing: Standing | None) -> Standing:
    if standing is None:
        raise InvariantError("an order was asked for a twin that was never published")
    return standing
