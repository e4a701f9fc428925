"""Pictures of twins: PNG or JPEG, bounded, and without what a camera or a card has put in them.

Only what is needed to show the picture stays: a card's persona or a photo's place must not travel
to everybody who sees a twin. Nothing is decoded.
"""

from bot.creators.png import SIGNATURE, PngError, read_chunks, write_chunk
from bot.domain.errors import UserError

MAX_PICTURE_BYTES = 256 * 1024
MAX_SIDE = 4096
_SHOWN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"sRGB", b"pHYs"})
_WRONG = "The picture must be a PNG or JPEG of at most 256 KiB and 4096 x 4096 pixels."
_IHDR_BYTES, _FRAME_BYTES = 13, 8
_MARK, _LENGTH_BYTES = 0xFF, 2
_SOI, _EOI, _SOS = b"\xff\xd8", b"\xff\xd9", 0xDA
_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_DROPPED = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})  # APP1 to 13 and 15 (EXIF, XMP), comments


def clean_picture(data: bytes) -> bytes:
    """Return a picture without its metadata.

    Raises:
        UserError: not a PNG or JPEG, or too large.
    """
    if len(data) > 2 * MAX_PICTURE_BYTES:
        raise UserError(_WRONG)
    if data.startswith(SIGNATURE):
        return clean_png(data)
    if data.startswith(_SOI):
        return _bounded(_clean_jpeg(data))
    raise UserError(_WRONG)


def clean_png(data: bytes) -> bytes:
    """Return a PNG with the chunks alone that show it.

    Raises:
        UserError: not a whole PNG, or too large.
    """
    try:
        chunks = read_chunks(data)
    except PngError as error:
        raise UserError(_WRONG) from error
    kinds = [kind for kind, _ in chunks]
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or b"IDAT" not in kinds:
        raise UserError(_WRONG)
    header = chunks[0][1]
    if len(header) != _IHDR_BYTES:
        raise UserError(_WRONG)
    _check_sides(int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big"))
    kept = [write_chunk(kind, body) for kind, body in chunks if kind in _SHOWN]
    return _bounded(SIGNATURE + b"".join(kept))


def _clean_jpeg(data: bytes) -> bytes:
    """Copy the segments up to the first scan, without metadata, and then everything."""
    kept, at, sized = [_SOI], 2, False
    while at + 4 <= len(data) and data[at] == _MARK:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if length < _LENGTH_BYTES or end > len(data):
            break
        if marker in _SIZES and length >= _FRAME_BYTES:
            high, wide = data[at + 5 : at + 7], data[at + 7 : at + 9]
            _check_sides(int.from_bytes(wide, "big"), int.from_bytes(high, "big"))
            sized = True
        if marker == _SOS and sized and (last := data.find(_EOI, end)) > 0:
            return b"".join(kept) + data[at:last] + _EOI
        if marker not in _DROPPED:
            kept.append(data[at:end])
        at = end
    raise UserError(_WRONG)


def _check_sides(width: int, height: int) -> None:
    if not 0 < width <= MAX_SIDE or not 0 < height <= MAX_SIDE:
        raise UserError(_WRONG)


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_PICTURE_BYTES:
        raise UserError(_WRONG)
    return data
