"""The model's vocabulary: texts to token ids, token ids to bytes; may be used from any thread."""

import ctypes

import llama_cpp as lib

from bot.domain.errors import EngineCrashedError

PIECE_BYTES, MAX_PIECE_BYTES = 256, 65_536


class Vocabulary:
    """A loaded model's vocabulary; the model outlives it. Pieces are remembered."""

    def __init__(self, handle: object) -> None:
        self._handle = handle
        self._pieces: dict[int, bytes] = {}
        self.size: int = lib.llama_vocab_n_tokens(handle)

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`, without begin or end marks added."""
        data = text.encode()
        # A token stands for at least one byte, or for a space that the vocabulary puts in front.
        buffer = (lib.llama_token * (len(data) + 2))()
        add_marks = False
        count = lib.llama_tokenize(
            self._handle, data, len(data), buffer, len(buffer), add_marks, special
        )
        if count < 0:
            raise EngineCrashedError("the tokenizer refused a text")
        return tuple(buffer[:count])

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token stands for; empty for control tokens."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def _read_piece(self, token: int) -> bytes:
        if not 0 <= token < self.size:
            raise EngineCrashedError(f"there is no token {token}")
        for size in (PIECE_BYTES, MAX_PIECE_BYTES):
            buffer = ctypes.create_string_buffer(size)
            no_special = False
            count = lib.llama_token_to_piece(self._handle, token, buffer, size, 0, no_special)
            if count >= 0:
                return buffer.raw[:count]
        raise EngineCrashedError(f"token {token} stands for too many bytes")

    def ends(self) -> tuple[int, ...]:
        """Return the ids that end a turn."""
        return tuple(t for t in range(self.size) if lib.llama_vocab_is_eog(self._handle, t))

    @property
    def begin_text(self) -> str:
        """The control token that begins every context; empty if none does."""
        if not lib.llama_vocab_get_add_bos(self._handle):
            return ""
        return self._text(lib.llama_vocab_bos(self._handle))

    @property
    def end_text(self) -> str:
        """The control token that ends a turn; empty if there is none."""
        return self._text(lib.llama_vocab_eos(self._handle))

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        return bytes(lib.llama_vocab_get_text(self._handle, token)).decode()
