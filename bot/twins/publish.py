"""Publishing: what a creator signs, and how it is kept and logged.

The sample creators' keys lie on this machine, so the demo can sign for them; a real creator signs
with their own wallet (`bot.creators`).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.crypto import eip712, vrf
from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import VerifierKey
from bot.domain.errors import ConfigurationError, InvariantError
from bot.domain.ids import derive_twin_id
from bot.domain.leaf import ManifestLeaf, twin_prefix
from bot.domain.manifest import Manifest, encode_manifest, parse_manifest, signing_data
from bot.domain.money import BASIS_POINTS
from bot.domain.persona import Persona, encode_persona, parse_persona
from bot.domain.rules import CRISIS
from bot.domain.terms import FilterTerms, ModelTerms, RenderingProgram, SamplerTerms
from bot.generation.rendering import persona_prefix
from bot.ports.clock import Clock
from bot.ports.inference import InferenceEngine, ModelInfo
from bot.ports.models import ServedModels
from bot.ports.personas import PersonaFile
from bot.ports.stores import Store, StoredManifest, StoreTransaction
from bot.receipts.log import append_leaf
from bot.twins.engines import AWAY
from bot.twins.roster import LiveTwin, Roster

VALIDITY = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
STOP_STRINGS = ("\nFan:", "\nYou are ")
REDRAWS = 2
RULES = (CRISIS.id,)
MESSAGE_ROOM_TOKENS = 32


class CreatorKeys(Protocol):
    """Keys of the sample creators."""

    def signing_key(self, slug: str) -> bytes:
        """Return the secp256k1 private key, 32 bytes, that signs a sample creator's manifests."""
        ...

    def payout_key(self, slug: str) -> bytes:
        """Return the secp256k1 private key of the address that receives the fees."""
        ...


@dataclass(frozen=True, slots=True)
class OperatorTerms:
    """What the operator puts into every manifest.

    Attributes:
        signing_key: Ed25519 private key of receipts; `vrf_key` the VRF's.
        log: the log's verifier key.
        token: symbol of the settlement token.
    """

    signing_key: bytes
    vrf_key: bytes
    log: VerifierKey
    token: str
    operator_bp: int
    model: ModelTerms
    library: str


class PublishTwin:
    """Publishes persona files under the sample creators' signatures."""

    def __init__(
        self,
        *,
        store: Store,
        models: ServedModels,
        clock: Clock,
        terms: OperatorTerms,
        creators: CreatorKeys,
        roster: Roster,
    ) -> None:
        self._store = store
        self._models = models
        self._clock = clock
        self._terms = terms
        self._creators = creators
        self._roster = roster

    async def publish(self, file: PersonaFile) -> LiveTwin:
        """Make a persona file's twin live; sign a new manifest only if its terms have changed.

        Raises:
            ConfigurationError: its model is not here, or the persona is too long for it; nothing
                was signed.
        """
        served = self._models.named(file.model)
        if served is None:
            raise ConfigurationError(missing_model(file))
        tokens = await check_persona(served.engine, file)
        key = self._creators.signing_key(file.slug)
        creator = eip712.address_of(key)
        stored = await self._latest(file, creator)
        manifest = None if stored is None else parse_manifest(stored.body)
        wanted = await draft_manifest(
            served.engine,
            replace(self._terms, model=served.terms),
            file,
            signers=Signers(creator, eip712.address_of(self._creators.payout_key(file.slug))),
            current=manifest,
            moment=self._clock.now(),
        )
        if manifest is None or not _same_terms(manifest, wanted, self._clock.now()):
            signature = eip712.sign_digest(key, signing_data(wanted).digest())
            async with self._store.transaction() as tx:
                await keep_manifest(tx, wanted, file.persona, signature)
            manifest = wanted
        twin = LiveTwin(manifest, manifest.hash, file.persona, tokens)
        await served.engine.prepare_prefix(twin.prefix)
        self._roster.put(twin)
        return twin

    async def rest(self, file: PersonaFile) -> None:
        """Let a persona file's twin answer nobody, if it was ever published: its model is away."""
        creator = eip712.address_of(self._creators.signing_key(file.slug))
        stored = await self._latest(file, creator)
        if stored is not None:
            manifest = parse_manifest(stored.body)
            persona = parse_persona(stored.persona)
            twin = LiveTwin(manifest, manifest.hash, persona, ())
            self._roster.rest(twin, AWAY.format(name=manifest.name))

    async def _latest(self, file: PersonaFile, creator: str) -> StoredManifest | None:
        twin = derive_twin_id(eip712.parse_address(creator), file.slug)
        async with self._store.reading() as tx:
            return await tx.latest_manifest(twin)


@dataclass(frozen=True, slots=True)
class Signers:
    """The creator's EIP-55 addresses: the one that signs, and the one that is paid."""

    creator: str
    payout: str


async def draft_manifest(
    engine: InferenceEngine,
    terms: OperatorTerms,
    file: PersonaFile,
    *,
    signers: Signers,
    current: Manifest | None,
    moment: datetime,
) -> Manifest:
    """Return what a creator would sign next; the same for the same arguments.

    Args:
        engine: whose model answers.
        terms: the operator's.
        file: persona and creator's terms.
        signers: the creator's addresses.
        current: the version that it replaces; None for the first one.
        moment: when it begins to be valid; cut to whole seconds.
    """
    rendering = await compile_rendering(engine, file)
    info = await engine.info()
    begin = moment.replace(microsecond=0)
    return Manifest(
        twin=derive_twin_id(eip712.parse_address(signers.creator), file.slug),
        slug=file.slug,
        name=file.persona.name,
        version=1 if current is None else current.version + 1,
        previous=None if current is None else current.hash,
        persona=file.persona.hash,
        model=terms.model,
        library=terms.library,
        rendering=rendering,
        sampler=SamplerTerms(
            temperature=file.temperature,
            top_k=file.top_k,
            top_p=file.top_p,
            max_tokens=file.max_tokens,
            min_p=file.min_p,
            presence_penalty=file.presence_penalty,
            frequency_penalty=file.frequency_penalty,
        ),
        filter=FilterTerms(stop_tokens=info.end_tokens, stop_strings=STOP_STRINGS, redraws=REDRAWS),
        rules=RULES,
        price_nano=file.price_nano,
        price_token=terms.token,
        free_daily=file.free_daily,
        creator_bp=BASIS_POINTS - terms.operator_bp,
        creator=signers.creator,
        payout=signers.payout,
        signing_key=public_key_of(terms.signing_key),
        vrf_key=vrf.public_key_of(terms.vrf_key),
        log=terms.log,
        valid_from=begin,
        valid_until=begin + VALIDITY,
    )


async def keep_manifest(
    tx: StoreTransaction, manifest: Manifest, persona: Persona, signature: bytes
) -> None:
    """Keep and log a signed manifest in the caller's transaction: in force, or not there."""
    leaf = ManifestLeaf(manifest.hash, twin_prefix(manifest.twin))
    index = await append_leaf(tx, leaf.encode())
    await tx.add_manifest(
        StoredManifest(
            manifest_hash=manifest.hash,
            twin=manifest.twin,
            body=encode_manifest(manifest),
            signature=eip712.encode_signature(signature),
            persona=encode_persona(persona),
            log_index=index,
        )
    )


async def compile_rendering(engine: InferenceEngine, file: PersonaFile) -> RenderingProgram:
    """Return the rendering program of a persona under the engine's model.

    Its segments were fixed when the model was added: no template is read here.
    """
    info = await engine.info()
    template = info.template
    if template is None:
        raise InvariantError("an engine was given out without its model's compiled template")
    return RenderingProgram(
        span_prefix=template.span_prefix,
        before_persona=template.before_persona,
        persona_to_fan=template.persona_to_fan,
        fan_to_twin=template.fan_to_twin,
        twin_to_fan=template.twin_to_fan,
        window_tokens=_window(info, file),
    )


def missing_model(file: PersonaFile) -> str:
    """Return the sentence for the operator on a persona whose model is not here."""
    return (
        f"The twin {file.slug} rests: its model {file.model} is not here. "
        "Add it with `twinproof model add`, and start again."
    )


async def check_persona(engine: InferenceEngine, file: PersonaFile) -> tuple[int, ...]:
    """Return the persona's tokens, if they leave room for a message; nothing is written.

    Raises:
        ConfigurationError: the persona is too long.
    """
    rendering = await compile_rendering(engine, file)
    tokens = await engine.tokenize(rendering.span_prefix + file.persona.text())
    used = len(persona_prefix(rendering, tokens))
    if used + MESSAGE_ROOM_TOKENS > rendering.window_tokens:
        raise ConfigurationError(
            f"The persona {file.slug} is too long for the model's context: "
            f"{used} of {rendering.window_tokens} tokens. Shorten it."
        )
    return tokens


def _window(info: ModelInfo, file: PersonaFile) -> int:
    return max(1, info.context_tokens - file.max_tokens)


def _same_terms(current: Manifest, wanted: Manifest, now: datetime) -> bool:
    """Return whether the manifest in force says what a new one would, and lasts long enough."""
    same = replace(
        wanted,
        version=current.version,
        previous=current.previous,
        valid_from=current.valid_from,
        valid_until=current.valid_until,
    )
    return same == current and now + RENEW_BEFORE < current.valid_until
