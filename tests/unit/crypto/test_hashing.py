from hashlib import sha256

from bot.crypto.hashing import tagged_hash


def test_input_is_as_the_specification_writes_it() -> None:
    expected = sha256(b"twinproof/v1/slot\x00\x00\x00\x00\x02\x01\x02\x00\x00\x00\x02\xc3\xa9")

    assert tagged_hash("slot", b"\x01\x02", "é") == expected.digest()


def test_parts_that_join_to_the_same_bytes_hash_differently() -> None:
    assert tagged_hash("t", "ab", "c") != tagged_hash("t", "a", "bc")
    assert tagged_hash("t", "") != tagged_hash("t")
