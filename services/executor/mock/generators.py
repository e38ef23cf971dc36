"""Generators by name: from a column and its rule to a space of values. Refuses to know uniqueness and other columns."""

from services.executor.mock import spaces
from services.executor.mock.amounts import days, decimal, integer, moments, real, times
from services.executor.mock.spaces import Compound, Pool, Space
from services.executor.mock.texts import (
    Builder,
    address,
    blob,
    by_pattern,
    choice,
    code,
    document,
    domain,
    email,
    mac,
    masked,
    of,
    pair,
    sentences,
    street,
    token,
    url,
    username,
)
from services.executor.mock.wanted import Wanted

GENERATORS: dict[str, Builder] = {
    "integer": integer,
    "decimal": decimal,
    "float": real,
    "boolean": lambda _: Pool((False, True), plain=True),
    "date": days,
    "datetime": moments,
    "time": times,
    "uuid": lambda _: spaces.Uuids(),
    "choice": choice,
    "pattern": by_pattern,
    "first_name": of("first_name"),
    "last_name": of("last_name"),
    "name": pair("first_name", "last_name", "%s %s"),
    "email": email,
    "username": username,
    "phone": masked("phone_mask"),
    "postal_code": masked("postal_mask"),
    "city": of("city"),
    "state": of("state"),
    "country": of("country"),
    "country_code": of("country_code"),
    "street": street,
    "address": lambda w: Compound("%s %s, %s", [[str(n) for n in range(1, 300)], w.texts("street"), w.texts("city")]),
    "company": of("company"),
    "job": of("job"),
    "nationality": of("nationality"),
    "language": of("language"),
    "currency": of("currency"),
    "color": of("color"),
    "word": of("word"),
    "title": pair("word", "word", "%s %s"),
    "sentence": of("sentence"),
    "text": sentences,
    "url": url,
    "domain": domain,
    "user_agent": of("user_agent"),
    "ip": address,
    "mac": mac,
    "code": code,
    "token": token,
    "bytes": blob,
    "json": document,
    "interval": lambda _: Compound("%s hours", [[str(n) for n in range(1, 1000)]]),
    "array": lambda _: Pool(("{}",), plain=True),
}
SPECIAL = ("sequence", "reference", "null", "default")
"""Words that are no spaces of their own: counting up, rows of another table, NULL, and leaving it to the database."""


def shortened(wanted: Wanted, space: Space) -> Space:
    """Return the space with nothing that is longer than the column."""
    length = wanted.column.limits.length
    if length is None or wanted.column.kind != "text":
        return space
    if isinstance(space, Pool):
        fit = [value for value in space.values if not isinstance(value, str) or len(value) <= length]
        if wanted.rule.values is not None and len(fit) < len(space.values):
            raise wanted.unfit(f"some of its values are longer than {length} characters.")
        return Pool(fit or [str(value)[:length] for value in space.values]) if len(fit) < len(space.values) else space
    if not isinstance(space, Compound):
        return space
    return _cut(wanted, space, length)


def _cut(wanted: Wanted, space: Compound, length: int) -> Space:
    if space.longest <= length:
        return space
    if wanted.rule.pattern is not None:
        raise wanted.unfit(f"the pattern gives {space.longest} characters, the column keeps {length}.")
    for share in range(length, 0, -1):
        shorter = space.within(share)
        if shorter is not None and shorter.longest <= length:
            return shorter
    if wanted.rule.generator is not None:
        raise wanted.unfit(f"generator '{wanted.rule.generator}' gives nothing as short as {length} characters.")
    return spaces.pattern("?" * min(length, 12))
