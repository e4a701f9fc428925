"""What every algorithm of this room raises; rooms above map it to their own error tree."""


class FormatError(ValueError):
    """The bytes or values are not what the format says."""


class MismatchError(ValueError):
    """The bytes are well-formed and say something false: a signature, proof or hash fails."""
