"""The keys that write to a real chain: read at start, from files or the environment, kept nowhere.

They are given to the chain's client and to nothing else; neither database nor log ever holds them.
"""

import asyncio
import os
from pathlib import Path

from bot.crypto.eip712 import address_of
from bot.crypto.errors import FormatError
from bot.domain.errors import ConfigurationError, UserError

KEYSTORE_PASSWORD = "TWINPROOF_KEYSTORE_PASSWORD"  # noqa: S105 - the variable's name
_KEY_BYTES = 32


async def read_key(meaning: str, *, variable: str, file: str, password_file: str) -> bytes | None:
    """Return a private key of 32 bytes; None where neither variable nor file is given.

    Args:
        meaning: whose key it is, for sentences.
        variable: of the environment; it wins over the file.
        file: a keystore of version 3, or 64 hexadecimal digits; empty if there is none.
        password_file: of the keystore; empty if the environment has the password.

    Raises:
        ConfigurationError: it can't be read or used.
    """
    text = os.environ.get(variable, "").strip()
    try:
        if text:
            key = _parse(text, variable)
        elif file:
            key = await asyncio.to_thread(_open, Path(file), password_file)
        else:
            return None
        address_of(key)
    except (UserError, FormatError, ValueError) as error:
        raise ConfigurationError(f"The {meaning}'s key can't be used: {error}") from error
    return key


def _parse(text: str, variable: str) -> bytes:
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise UserError(f"{variable} must be 64 hexadecimal digits.")
    return key


def _open(path: Path, password_file: str) -> bytes:
    from adapters.files.keystore import load_bare_key, load_keystore
    from adapters.files.secrets import read_secret

    try:
        with path.open("rb") as opened:
            is_keystore = opened.read(64).lstrip().startswith(b"{")
    except OSError as error:
        raise UserError(f"the file {path} can't be read: {error.strerror}.") from error
    if not is_keystore:
        return load_bare_key(path)
    password = os.environ.get(KEYSTORE_PASSWORD, "")
    if password_file:
        password = read_secret(Path(password_file), "keystore's password")
    if not password:
        raise UserError(
            f"{path} is a keystore: name its [settlement] password_file, or set "
            f"{KEYSTORE_PASSWORD}."
        )
    return load_keystore(path, password)
