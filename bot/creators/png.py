"""PNG files as lists of chunks (PNG specification, section 5): lengths and CRCs are checked."""

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 10_000
_AROUND = 12  # length, kind and CRC


class PngError(ValueError):
    """The bytes are not a whole PNG; the sentence says where."""


def read_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and body of every chunk up to `IEND`; what follows it is dropped.

    Raises:
        PngError: no PNG, cut off, damaged, or of more than `MAX_CHUNKS` chunks.
    """
    if not data.startswith(SIGNATURE):
        raise PngError("it has no PNG signature")
    chunks: list[tuple[bytes, bytes]] = []
    view, at = memoryview(data), len(SIGNATURE)
    while at + _AROUND <= len(data):
        length = int.from_bytes(view[at : at + 4], "big")
        end = at + _AROUND + length
        if end > len(data) or len(chunks) >= MAX_CHUNKS:
            break
        crc = int.from_bytes(view[end - 4 : end], "big")
        if zlib.crc32(view[at + 4 : end - 4]) != crc:
            raise PngError("it is damaged (a checksum is wrong)")
        kind, body = bytes(view[at + 4 : at + 8]), bytes(view[at + 8 : end - 4])
        chunks.append((kind, body))
        if kind == b"IEND":
            return chunks
        at = end
    raise PngError("it is cut off or has too many parts")


def write_chunk(kind: bytes, body: bytes) -> bytes:
    """Encode one chunk."""
    crc = zlib.crc32(kind + body)
    return len(body).to_bytes(4, "big") + kind + body + crc.to_bytes(4, "big")
