"""Pools of names, places and words in a language, made once per process with mimesis, always with the same seed.

mimesis makes about 30,000 five-column rows a second when asked cell by cell; looking up what it made is ten times
faster. Refuses to know columns.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from services.executor.fault import PermanentFault

TRIES = 3_000
"""How often a pool asks; small ones give the same again and again."""

_MAKERS: dict[str, Callable[[Any], Any]] = {
    "first_name": lambda g: g.person.first_name(),
    "last_name": lambda g: g.person.last_name(),
    "job": lambda g: g.person.occupation(),
    "nationality": lambda g: g.person.nationality(),
    "city": lambda g: g.address.city(),
    "state": lambda g: g.address.state(),
    "country": lambda g: g.address.country(),
    "street": lambda g: g.address.street_name(),
    "company": lambda g: g.finance.company(),
    "word": lambda g: g.text.word(),
    "sentence": lambda g: " ".join(g.text.sentence().split()),
    "color": lambda g: g.text.color(),
    "currency": lambda g: g.finance.currency_iso_code(),
    "country_code": lambda g: g.address.country_code(),
    "language": lambda g: g.person.language(),
    "domain": lambda g: g.internet.hostname(),
    "user_agent": lambda g: g.internet.user_agent(),
    "phone_mask": lambda g: g.person.telephone(),
    "postal_mask": lambda g: g.address.postal_code(),
}


@lru_cache(maxsize=512)
def pool(kind: str, locale: str) -> tuple[str, ...]:
    """Return the different values of a kind, in a fixed order. Raises `PermanentFault` for an unknown locale."""
    generic = _generic(locale)
    make = _MAKERS[kind]
    return tuple(dict.fromkeys(str(make(generic)).strip() for _ in range(TRIES))) or ("",)


@lru_cache(maxsize=512)
def ascii_pool(kind: str, locale: str) -> tuple[str, ...]:
    """Return the values as lower-case letters and digits, for addresses; English ones where too few are left."""
    lowered = (
        "".join(sign for sign in value.lower() if sign.isascii() and sign.isalnum()) for value in pool(kind, locale)
    )
    kept = tuple(dict.fromkeys(value for value in lowered if len(value) > 1))
    return kept if len(kept) >= 200 or locale == "en" else ascii_pool(kind, "en")


def _generic(locale: str) -> Any:
    from mimesis import Generic  # noqa: PLC0415 - 0.1 s and 20 MB that only executors filling tables need
    from mimesis.locales import Locale  # noqa: PLC0415

    known = {each.value: each for each in Locale}
    if locale not in known:
        raise PermanentFault(
            f"There is no locale '{locale}'; there are {', '.join(sorted(known))}.", {"kind": "UNKNOWN_LOCALE"}
        )
    return Generic(known[locale], seed=20_260_101)
