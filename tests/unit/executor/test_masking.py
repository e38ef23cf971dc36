"""Masking: a value is found in every form that programs give it, across pieces, and nothing else is touched."""

import base64
import json
import logging
import random
import re
import urllib.parse
from collections.abc import Callable

import pytest

from services.executor.masking import MASK, Discreet, Masker, Stream

VALUE = "Zürich/+7 & 'quoted' \"pa$$\\word\""


def masker(*values: str) -> Masker:
    """One that knows these."""
    found = Masker()
    for value in values:
        found.add(value)
    return found


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, URL-safe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "quoted": urllib.parse.quote,
    "quoted wholly": lambda text: urllib.parse.quote(text, safe=""),
    "form": urllib.parse.quote_plus,
    "quoted in lower case": lambda text: re.sub("%..", lambda code: code[0].lower(), urllib.parse.quote(text)),
    "JSON": lambda text: json.dumps({"key": text}),
    "JSON, UTF-8": lambda text: json.dumps([text], ensure_ascii=False),
    "Python": repr,
    "hex": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_masked(form: str) -> None:
    """In text and in bytes, with something before and behind it."""
    text = f"before {FORMS[form](VALUE)} behind"
    masked = masker(VALUE).text(text)
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" behind")
    for part in ("rich", "word", "pa$$", "eW9yZ", "776f7264"):
        assert part not in masked
    assert masker(VALUE).data(text.encode()) == masked.encode()


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_something_longer_is_masked(before: int, encode: Callable[[bytes], bytes]) -> None:
    """At each alignment: what is the value's alone is gone, so that decoding gives its edges at most."""
    secret = "tr0ub4dor&3-correct-horse"
    encoded = encode(b"u" * before + secret.encode() + b"\nrest").decode()
    masked = masker(secret).text(encoded)
    left = masked.split(MASK)
    assert len(left) == 2
    assert sum(len(part) for part in left) <= len(encode(b"u" * before + b"\nrest")) + 4


def test_json_is_masked_everywhere() -> None:
    """Keys, nested texts, and a number that is the value; what is no text stays what it is."""
    value = {"a": [f"x{VALUE}y", 7, None, True, 1.5], VALUE: {"b": VALUE}, "pin": 48151623}
    assert masker(VALUE, "48151623").value(value) == {
        "a": [f"x{MASK}y", 7, None, True, 1.5],
        MASK: {"b": MASK},
        "pin": MASK,
    }


def test_each_line_of_a_key_is_masked() -> None:
    """A private key is printed line by line; a line that is hardly one is left alone."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n}\n-----END KEY-----\n"
    found = masker(key)
    assert found.text(key) == MASK
    assert found.text("1: MIIEvQIBADANBgkq, 2: hkiG9w0BAQEFAASC }") == f"1: {MASK}, 2: {MASK} }}"
    assert found.text(key.strip()) == MASK


def test_short_values_and_no_values_change_nothing() -> None:
    """Three characters would mask half of every text; a masker that knows nothing gives back the very object."""
    text, data, value = "abc abc", b"abc", {"a": ["abc"]}
    for found in (Masker(), masker("abc", "")):
        assert not found
        assert found.text(text) is text
        assert found.data(data) is data
        assert found.value(value) is value
        assert Stream(found).feed(data) is data


def test_the_longer_of_two_values_wins() -> None:
    """One value may begin another: nothing of the longer one stays."""
    assert masker("secret", "secret-and-more").text("secret-and-more secret") == f"{MASK} {MASK}"


def test_pieces_are_masked_as_the_whole() -> None:
    """However bytes are cut, the stream gives what masking the whole gives, and holds nothing back for long."""
    chance = random.Random(4)
    whole = b"".join(chance.choice([b"noise ", VALUE.encode(), VALUE.encode()[:9], b"Z"]) for _ in range(400))
    for size in (1, 2, 7, 64, len(whole)):
        found = masker(VALUE)
        stream = Stream(found)
        parts = [stream.feed(whole[place : place + size]) for place in range(0, len(whole), size)]
        assert b"".join([*parts, stream.end()]) == found.data(whole)


def test_a_line_is_not_held_back() -> None:
    """What cannot be the beginning of a value passes at once, so that logs are live."""
    stream = Stream(masker(VALUE))
    assert stream.feed(b"hello\n") == b"hello\n"
    assert stream.feed(b"the password is Z\xc3\xbcri") == b"the password is "
    assert stream.feed(b"n, a river\n") == b"Z\xc3\xbcrin, a river\n"


def test_our_own_log_is_masked_whatever_was_formatted() -> None:
    """Arguments and traces too; and of many values the newest are remembered."""
    found = Masker()
    for number in range(5):
        found.add(f"value-{number}", most=3)
    record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "%s and %s", ("value-4", "value-0"), None)
    assert Discreet(logging.Formatter(), found).format(record) == f"{MASK} and value-0"
