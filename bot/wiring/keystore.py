"""Creators' key files, for signing offline."""

from pathlib import Path


def open_keystore(path: Path, password: str) -> bytes:
    """Return the private key in a keystore.

    Raises:
        UserError: no keystore, or another password.
    """
    from adapters.files.keystore import load_keystore

    return load_keystore(path, password)


def open_bare_key(path: Path) -> bytes:
    """Return the private key in a file that only its owner can read.

    Raises:
        UserError: the file holds no key.
        ConfigurationError: the file can't be read, or others can.
    """
    from adapters.files.keystore import load_bare_key

    return load_bare_key(path)


def new_keystore(path: Path, password: str) -> bytes:
    """Make a key in a new keystore and return it.

    Raises:
        UserError: the file is there already, or can't be written.
    """
    from adapters.files.keystore import make_keystore

    return make_keystore(path, password)
