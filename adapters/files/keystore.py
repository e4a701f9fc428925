"""Creators' keys in files: Web3 Secret Storage version 3, encrypted by a password; or bare."""

import json
import os
from pathlib import Path
from typing import Any

from eth_account import Account

from adapters.files.secrets import read_secret
from bot.crypto.json_depth import is_deeper
from bot.domain.errors import UserError

KEY_BYTES = 32
MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_WORK = 2**20  # of scrypt: 1 GiB of memory; wallets write 2^13 to 2^18
MAX_ROUNDS = 10_000_000  # of PBKDF2


def load_keystore(path: Path, password: str) -> bytes:
    """Return the 32-byte private key in a keystore.

    Raises:
        UserError: the file can't be read, is no keystore, or the password is another one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"The keystore {path} can't be read: {error.strerror}.") from error
    try:
        if len(data) > MAX_BYTES or is_deeper(data, MAX_DEPTH):
            raise ValueError("no keystore is so large or deep")  # noqa: TRY301
        values = json.loads(data)
        _check_work(values["crypto"] if "crypto" in values else values["Crypto"])
        key = bytes(Account.decrypt(values, password))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if "MAC" in str(error):
            raise UserError("The password is not the one of this keystore.") from error
        raise UserError(f"The file {path} is no Web3 keystore of version 3.") from error
    if len(key) != KEY_BYTES:
        raise UserError(f"The file {path} holds no key for signing.")
    return key


def load_bare_key(path: Path) -> bytes:
    """Return the private key in a file of 64 hexadecimal digits that only its owner can read.

    Raises:
        UserError: the file holds something else.
        ConfigurationError: the file can't be read, or others can.
    """
    text = read_secret(path, "key").removeprefix("0x")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or not any(key):
        raise UserError(f"The file {path} must hold a key of 64 hexadecimal digits.")
    return key


def make_keystore(path: Path, password: str) -> bytes:
    """Make a key, keep it in a new keystore, and return it; an existing file is never replaced.

    Raises:
        UserError: the file is there already, or can't be written.
    """
    key = bytes(Account.create().key)
    text = json.dumps(Account.encrypt(key, password))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"The keystore {path} can't be written: {error.strerror}.") from error
    return key


def _check_work(crypto: Any) -> None:  # noqa: ANN401 - foreign JSON
    work = crypto["kdfparams"]
    cost = int(work.get("n", 1)) * int(work.get("r", 8)) * int(work.get("p", 1))
    if cost > 8 * MAX_WORK or int(work.get("c", 1)) > MAX_ROUNDS:
        raise ValueError("the key derivation asks for too much work")
