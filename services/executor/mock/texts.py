"""Generators of texts, from pools, patterns and lists of values; and of what is written as text."""

from collections.abc import Callable

from services.executor.mock import spaces
from services.executor.mock.spaces import Compound, Pool, Space
from services.executor.mock.wanted import Wanted

Builder = Callable[[Wanted], Space]
"""From a column and its rule to a space of values."""


def choice(wanted: Wanted) -> Space:
    """Return the rule's values, or those the column is limited to."""
    found = wanted.rule.values if wanted.rule.values is not None else wanted.column.limits.values
    if not found:
        raise wanted.unfit("generator choice needs values.")
    return spaces.Listed(found) if wanted.rule.weights else Pool(found)


def by_pattern(wanted: Wanted) -> Space:
    """Texts after a pattern."""
    if wanted.rule.pattern is None:
        raise wanted.unfit('generator pattern needs a pattern such as "INV-######".')
    return spaces.pattern(wanted.rule.pattern)


def of(*kinds: str, form: str = "%s") -> Builder:
    """Return a builder of texts put together from pools."""
    return lambda wanted: Compound(form, [wanted.texts(kind) for kind in kinds])


def email(wanted: Wanted) -> Space:
    """first.last27@domain, at domains that are nobody's (RFC 2606)."""
    domains = ("example.com", "example.org", "example.net")
    numbers = ("", *(str(number) for number in range(1, 1000)))
    return Compound("%s.%s%s@%s", [wanted.latin("first_name"), wanted.latin("last_name"), numbers, domains])


def username(wanted: Wanted) -> Space:
    """first.last27."""
    numbers = ("", *(str(number) for number in range(1, 1000)))
    return Compound("%s_%s%s", [wanted.latin("first_name"), wanted.latin("last_name"), numbers])


def masked(kind: str) -> Builder:
    """Return a builder of texts like one that mimesis made, with other digits (and letters in postal codes)."""

    def build(wanted: Wanted) -> Space:
        sample = next((text for text in wanted.texts(kind) if any(sign.isdigit() for sign in text)), "###-####")
        if kind == "phone_mask":
            head = 2 if sample.startswith("+") else 0
            return spaces.pattern(sample[:head] + "".join("#" if sign.isdigit() else sign for sign in sample[head:]))
        return spaces.pattern(
            "".join("#" if s.isdigit() else "@" if s.isascii() and s.isupper() else s for s in sample)
        )

    return build


def code(wanted: Wanted) -> Space:
    """Three letters and six digits, less where the column is short."""
    length = wanted.column.limits.length or 10
    return spaces.pattern("@@@-######" if length >= 10 else "*" * length)


def token(wanted: Wanted) -> Space:
    """Return 32 hexadecimal digits, fewer where the column is short."""
    return spaces.Tokens(min(32, wanted.column.limits.length or 32))


def blob(wanted: Wanted) -> Space:
    """Return 16 bytes, fewer where the column is short."""
    return spaces.Blobs(min(16, wanted.column.limits.length or 16))


def address(_: Wanted) -> Space:
    """IPv4 addresses of 10.0.0.0/8, which are private."""
    numbers = [str(number) for number in range(256)]
    return Compound("10.%s.%s.%s", [numbers[1:255], numbers, numbers])


def mac(_: Wanted) -> Space:
    """MAC addresses, locally administered."""
    pairs = [f"{number:02x}" for number in range(256)]
    return Compound("02:00:%s:%s:%s:%s", [pairs] * 4)


def document(wanted: Wanted) -> Space:
    """Small JSON objects."""
    words, numbers = [_quoted(word) for word in wanted.texts("word")], [str(number) for number in range(1000)]
    return Compound('{"label": "%s", "count": %s, "active": %s}', [words, numbers, ("true", "false")])


def sentences(wanted: Wanted) -> Space:
    """One sentence, or two where there is room."""
    pool_ = wanted.texts("sentence")
    length = wanted.column.limits.length
    return Compound("%s %s", [pool_, pool_]) if length is None or length >= 400 else Pool(pool_)


def pair(one: str, other: str, form: str) -> Builder:
    """Return a builder of two words."""
    return lambda wanted: Compound(form, [wanted.texts(one), wanted.texts(other)])


def street(wanted: Wanted) -> Space:
    """Number and street."""
    return Compound("%s %s", [[str(number) for number in range(1, 300)], wanted.texts("street")])


def url(wanted: Wanted) -> Space:
    """Addresses of pages at hosts that are nobody's (RFC 2606)."""
    return Compound(
        "https://%s.example/%s/%s", [wanted.latin("last_name"), wanted.latin("word"), [str(n) for n in range(1, 1000)]]
    )


def domain(wanted: Wanted) -> Space:
    """Hosts that are nobody's."""
    return Compound("%s%s.example", [wanted.latin("last_name"), ["", *(str(n) for n in range(2, 100))]])


def _quoted(text: str) -> str:
    return text.replace("\\", "").replace('"', "")
