"""What the signing page shows of a request before anything is signed; pure."""

from bot.creators.drafts import describe_changes, published_content, sampler_words
from bot.creators.hidden import hidden_in
from bot.creators.standing import Standing
from bot.domain.errors import InvariantError
from bot.domain.manifest import price_words
from bot.domain.money import BASIS_POINTS
from bot.domain.times import encode_time
from bot.ports.creator_store import DraftContent, SigningTicket
from bot.ports.signing import SigningRequest
from bot.twins.publish import VALIDITY, OperatorTerms

_DISCLOSED = (
    "The persona below, with its examples, can be read by everybody who holds the link of one of "
    "the twin's replies: a replay needs it."
)
_BINDING = (
    "The address that signs now owns this twin: every later version, pause and revocation needs "
    "its signature. Keep its key, and keep it safe."
)
_HIDDEN = (
    "The persona holds characters that can't be seen here ({}), but the model reads them: take "
    "them out, unless you have put them there yourself."
)
_REST = "While it is paused, the twin stays silent: this version answers when you resume it."
_FINAL = "This is final: the twin answers nobody any more, and its name stays taken."
_VERSION_ENDS = (
    "If this is the version that answers now, the twin rests until you sign a new one: no older "
    "version comes back by itself."
)


def describe_request(
    ticket: SigningTicket,
    standing: Standing | None,
    signed_avatar: bytes,
    terms: OperatorTerms,
    *,
    done: str,
) -> SigningRequest:
    """Describe a request.

    Args:
        ticket: the request.
        standing: where its twin stands; None before its first version.
        signed_avatar: picture of the newest version.
        terms: the operator's.
        done: how it ended; empty while it is open.
    """
    signer = "" if standing is None else standing.newest.creator
    if ticket.content is None:
        return _order(ticket, standing, done)
    content = ticket.content
    version = 1 if standing is None else standing.newest.version + (not done)
    changes: tuple[str, ...] = ()
    if standing is not None and not done:
        old = published_content(standing.newest, standing.persona, signed_avatar)
        changes = describe_changes(old, content, terms.token)
    warnings = [_DISCLOSED]
    if hidden := hidden_in(content.persona):
        warnings.append(_HIDDEN.format(hidden))
    if standing is None:
        warnings.append(_BINDING)
    elif standing.order_paused:
        warnings.append(_REST)
    return SigningRequest(
        kind=ticket.kind,
        twin_name=content.persona.name,
        slug=ticket.slug,
        version=version,
        summary=_publication(ticket, content, terms, version),
        persona_text=content.persona.text(),
        changes=changes,
        warnings=tuple(warnings),
        signer=signer,
        expires_at=ticket.expires_at,
        done=done,
    )


def _publication(
    ticket: SigningTicket, content: DraftContent, terms: OperatorTerms, version: int
) -> tuple[tuple[str, str], ...]:
    creator_bp = BASIS_POINTS - terms.operator_bp
    until = ticket.created_at + VALIDITY
    return (
        ("Twin", f"{content.persona.name} ({ticket.slug})"),
        ("Version", str(version)),
        ("Price", price_words(content.price_nano, terms.token, content.free_daily)),
        ("Split", f"creator {_percent(creator_bp)}, operator {_percent(terms.operator_bp)}"),
        ("Model", f"{terms.model.name}, SHA-256 {terms.model.gguf.hex()}"),
        ("Sampler", sampler_words(content.sampler)),
        ("Log", terms.log.name),
        ("Valid", f"{encode_time(ticket.created_at)} to {encode_time(until)}"),
        ("Picture", "yes (it is not part of what is signed)" if content.avatar else "none"),
    )


def _order(ticket: SigningTicket, standing: Standing | None, done: str) -> SigningRequest:
    if standing is None:
        raise InvariantError("an order was asked for a twin that was never published")
    newest = standing.newest
    found = (one.version for one in standing.versions if one.manifest == ticket.manifest)
    version = next(found, None)
    warnings = {"revoke": (_FINAL if version is None else _VERSION_ENDS,)}
    return SigningRequest(
        kind=ticket.kind,
        twin_name=newest.name,
        slug=ticket.slug,
        version=version,
        summary=(
            ("Twin", f"{newest.name} ({ticket.slug})"),
            ("Order", ticket.kind if version is None else f"{ticket.kind} version {version}"),
            ("Number", str(standing.next_order - bool(done))),
            ("Log", newest.log.name),
        ),
        persona_text="",
        changes=(),
        warnings=warnings.get(ticket.kind, ()),
        signer=newest.creator,
        expires_at=ticket.expires_at,
        done=done,
    )


def _percent(basis_points: int) -> str:
    return f"{basis_points // 100}.{basis_points % 100:02d} %"
