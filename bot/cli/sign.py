"""`sign`: a creator signs a request on a machine of their own, without browser or network.

What is signed is computed here from the body's bytes; the wallet's typed data in the file is only
compared with it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bot.cli import printing
from bot.crypto import eip712
from bot.crypto.eip712 import SigningData
from bot.crypto.errors import FormatError
from bot.crypto.hashing import sha256
from bot.crypto.json_depth import is_deeper
from bot.crypto.registry_data import TwinBindingData
from bot.domain import bindings
from bot.domain.errors import UserError
from bot.domain.manifest import Manifest, parse_manifest, signing_data
from bot.domain.order import TwinOrder, order_data, parse_order
from bot.domain.printable import printable
from bot.domain.reading import BREAKING, FORMATTING
from bot.domain.times import encode_time

VERSION = "twinproof-signing/1"
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 16
MAX_NAME = 64
WRONG = 2
_FILE = click.Path(dir_okay=False, path_type=Path)
_RELAY = "relay it with `twinproof chain {} REQUEST --signature 0x… --rpc-url URL`"
_NO_REQUEST = "The file {} is no signing request: download it from the signing page again."


@dataclass(frozen=True, slots=True)
class OfflineRequest:
    """A request as it is understood here.

    Attributes:
        digest: the 32 bytes that are signed.
        lines: what will be signed, in plain words, as (label, value).
        signer: EIP-55 address that has to sign; empty where the body does not say.
        next_step: what is done with the signature.
    """

    digest: bytes
    lines: tuple[tuple[str, str], ...]
    signer: str
    next_step: str = "paste it into the signing page"


@click.command()
@click.argument("request", type=_FILE, required=False)
@click.option("--keystore", type=_FILE, help="A Web3 keystore (version 3); its password is asked.")
@click.option("--key-file", type=_FILE, help="A file of 64 hexadecimal digits, chmod 600.")
@click.option("--out", type=_FILE, help="Write the signature here instead of printing it.")
@click.option("--yes", is_flag=True, help="Sign without asking once more.")
@click.option("--new-key", type=_FILE, help="Make a key in a new keystore, and nothing else.")
def sign(  # noqa: PLR0917 - click passes them by name
    request: Path | None,
    keystore: Path | None,
    key_file: Path | None,
    out: Path | None,
    yes: bool,  # noqa: FBT001
    new_key: Path | None,
) -> int:
    """Sign a creator's request offline.

    REQUEST is the file that the signing page gives, or that `twinproof chain binding` or
    `chain revocation` printed.

    \b
    twinproof sign --new-key zoe.json
    twinproof sign request.json --keystore zoe.json
    """  # noqa: D301
    if new_key is not None:
        if request is not None or keystore is not None or key_file is not None:
            raise click.UsageError("--new-key makes a key and signs nothing: use it alone")
        return _make_key(new_key)
    if request is None:
        raise click.UsageError("name the REQUEST file, or make a key with --new-key FILE")
    if (keystore is None) == (key_file is None):
        raise click.UsageError("name the key with either --keystore or --key-file")
    wanted = read_request(request)
    for label, value in wanted.lines:
        printing.say(f"{label + ':':<12} {printable(value)}")
    key = _load_key(keystore, key_file)
    address = eip712.address_of(key)
    if wanted.signer and wanted.signer != address:
        raise UserError(
            f"This key is of {address}, but the request is for {wanted.signer}: use that key."
        )
    printing.say(f"{'Signed by:':<12} {address}")
    if not yes and not click.confirm("Sign this?", err=True):
        printing.refuse("Nothing was signed.")
        return WRONG
    signature = eip712.sign_digest(key, wanted.digest)
    _give(eip712.encode_signature(signature), out, wanted.next_step)
    return 0


def read_request(path: Path) -> OfflineRequest:
    """Read a request's file.

    Raises:
        UserError: it can't be read, or asks a wallet to sign something else than its body says.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"The request {path} can't be read: {error.strerror}.") from error
    wrong = _NO_REQUEST.format(path)
    if len(data) > MAX_BYTES or is_deeper(data, MAX_DEPTH):
        raise UserError(wrong)
    try:
        values = json.loads(data)
    except ValueError as error:
        raise UserError(wrong) from error
    if isinstance(values, dict) and values.get("v") in bindings.VERSIONS:
        return _read_registry(data, wrong)
    if not isinstance(values, dict) or values.keys() != {"v", "body", "typed_data"}:
        raise UserError(wrong)
    if values["v"] != VERSION or not isinstance(values["body"], str):
        raise UserError(wrong)
    try:
        body, found = _understood(values["body"].encode(), values["typed_data"])
    except (FormatError, UnicodeEncodeError) as error:
        raise UserError(f"{wrong[:-1]} ({error}).") from error
    if body.typed_data() != values["typed_data"]:
        raise UserError(
            "The request contradicts itself: a wallet would be shown something else than its body "
            "says. Don't sign it, and tell the operator."
        )
    return found


def _read_registry(data: bytes, wrong: str) -> OfflineRequest:
    """Read a request to bind or revoke a twin in the registry of twins."""
    try:
        request = bindings.parse_request(data)
    except FormatError as error:
        raise UserError(f"{wrong[:-1]} ({error}).") from error
    asked, domain = request.data, request.domain
    if isinstance(asked, TwinBindingData):
        step = "bind"
        what: tuple[tuple[str, str], ...] = (
            ("You bind", f"the twin {asked.slug}, binding {asked.number}"),
            ("Paid to", eip712.encode_address(asked.payout)),
            ("Manifest", f"SHA-256 {asked.manifest.hex()}"),
        )
    else:
        step = "revoke"
        what = (("You revoke", f"the twin {asked.slug} in the registry, for ever"),)
    lines = (
        *what,
        ("Registry", f"{eip712.encode_address(domain.contract)} on chain {domain.chain_id}"),
        ("Until", encode_time(datetime.fromtimestamp(asked.deadline, UTC))),
    )
    creator = eip712.encode_address(request.creator)
    return OfflineRequest(asked.digest(domain), lines, creator, _RELAY.format(step))


def _understood(
    body: bytes,
    typed: Any,  # noqa: ANN401 - foreign JSON
) -> tuple[SigningData, OfflineRequest]:
    try:
        manifest = parse_manifest(body)
    except FormatError:
        order = parse_order(body)
        name = _name_in(typed)
        ordered = order_data(order, name)
        return ordered, OfflineRequest(ordered.digest(), _order_lines(order, name), "")
    if manifest.twin != manifest.derived_twin:
        raise FormatError("the twin is not the one of this creator and name")
    signed = signing_data(manifest)
    return signed, OfflineRequest(signed.digest(), _manifest_lines(manifest), manifest.creator)


def _name_in(typed: Any) -> str:  # noqa: ANN401 - foreign JSON
    """Return the twin's display name, which an order's body does not hold."""
    message = typed.get("message") if isinstance(typed, dict) else None
    name = message.get("name") if isinstance(message, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise FormatError("the twin has no name")
    if BREAKING.search(name) or FORMATTING.search(name) or not name.strip():
        raise FormatError("the twin's name has invisible characters")
    return name


def _manifest_lines(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    data = signing_data(manifest)
    nobody = not any(eip712.parse_address(manifest.payout))
    return (
        ("You publish", f"version {manifest.version} of {manifest.name} ({manifest.slug})"),
        ("Price", data.price),
        ("Split", data.split),
        ("Paid to", "nobody yet: fees accrue" if nobody else manifest.payout),
        ("Model", f"{manifest.model.name}, SHA-256 {manifest.model.gguf.hex()}"),
        ("Persona", f"SHA-256 {manifest.persona.hex()}"),
        ("Log", manifest.log.name),
        ("Valid", f"{data.valid_from} to {data.valid_until}"),
        ("Manifest", f"SHA-256 {manifest.hash.hex()}"),
    )


def _order_lines(order: TwinOrder, name: str) -> tuple[tuple[str, str], ...]:
    what = "for good" if order.manifest is None else f"version {order.manifest.hex()}"
    of = f" {what}" if order.action.value == "revoke" else ""
    return (
        ("You order", f"{order.action.value} {name}{of}"),
        ("Number", str(order.number)),
        ("Twin", order.twin.hex()),
        ("Log", order.log),
        ("Valid", f"{encode_time(order.issued)} to {encode_time(order.expires)}"),
        ("Order", f"SHA-256 {sha256(order.encode()).hex()}"),
    )


def _load_key(keystore: Path | None, key_file: Path | None) -> bytes:
    from bot.wiring.keystore import open_bare_key, open_keystore

    if keystore is None:
        return open_bare_key(key_file or Path())
    return open_keystore(keystore, click.prompt("Password", hide_input=True, err=True))


def _make_key(path: Path) -> int:
    from bot.wiring.keystore import new_keystore

    password = click.prompt(
        "Password for the new key", hide_input=True, confirmation_prompt=True, err=True
    )
    address = eip712.address_of(new_keystore(path, password))
    printing.say(f"Keep {path} and its password: nobody can restore them. The key's address is:")
    printing.print_result(address)
    return 0


def _give(signature: str, out: Path | None, next_step: str) -> None:
    if out is None:
        printing.print_result(signature)
        return
    try:
        out.write_text(signature + "\n", encoding="ascii")
    except OSError as error:
        raise UserError(f"The signature can't be written to {out}: {error.strerror}.") from error
    printing.say(f"The signature is in {out}: {next_step}.")
