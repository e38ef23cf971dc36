"""Which generator a column gets when nobody named one: by the words in its name, else by its type."""

import re
from datetime import date

from services.executor.mock.amounts import days, decimal, integer, moments, real
from services.executor.mock.generators import GENERATORS
from services.executor.mock.schema import Kind
from services.executor.mock.texts import Builder
from services.executor.mock.wanted import Wanted

_TEXTS: tuple[tuple[str, str], ...] = (
    (r"e_?mail", "email"),
    (r"user_?name|login|nick(_?name)?|handle", "username"),
    (r"first_?name|given_?name|forename", "first_name"),
    (r"last_?name|surname|family_?name", "last_name"),
    (r"full_?name|contact(_name)?|person|author|owner|customer_name|display_name", "name"),
    (r"phone(_number)?|telephone|mobile|tel|fax|cell", "phone"),
    (r"country_?code|iso_?code", "country_code"),
    (r"country", "country"),
    (r"city|town|municipality", "city"),
    (r"state|province|region|county", "state"),
    (r"zip(_?code)?|post(al)?_?code|plz", "postal_code"),
    (r"ip(_?addr(ess)?)?|ipv4", "ip"),
    (r"mac(_?addr(ess)?)?", "mac"),
    (r"street(_name)?|road", "street"),
    (r"addr(ess)?(_line)?(_?\d)?", "address"),
    (r"company(_name)?|employer|organi[sz]ation|supplier|vendor|manufacturer|brand", "company"),
    (r"job(_title)?|occupation|profession|position", "job"),
    (r"nationality", "nationality"),
    (r"language|lang|locale", "language"),
    (r"currency(_code)?", "currency"),
    (r"colou?r", "color"),
    (r"user_?agent|browser", "user_agent"),
    (r"url|uri|website|web(page|site)|link|homepage|avatar|image|photo|picture", "url"),
    (r"domain|host(_?name)?|server", "domain"),
    (r"description|comment|notes?|text|body|content|summary|message|bio|about|remark|review|reason", "text"),
    (r"title|subject|headline|label|product(_name)?|item", "title"),
    (r"password|passwd|hash|digest|checksum|token|secret|api_?key|salt|session_?id|md5|sha\d*", "token"),
    (r"uuid|guid", "uuid"),
    (r"code|sku|number|no|ref(erence)?|serial|isbn|ean|barcode|ticket|invoice|order_no|account|iban", "code"),
)
_PEOPLE = re.compile(
    r"user|customer|client|person|people|employee|contact|patient|student|member|staff|author|teacher", re.IGNORECASE
)
_COMPANIES = re.compile(r"compan|supplier|vendor|organi[sz]ation|manufacturer|brand|partner", re.IGNORECASE)
_PLACES = ((re.compile(r"cit(y|ies)|town", re.IGNORECASE), "city"), (re.compile(r"countr", re.IGNORECASE), "country"))
_NUMBERS: tuple[tuple[str, float, float], ...] = (
    (r"age", 18, 90),
    (r"quantity|qty|count|items|pieces", 1, 100),
    (r"year", 1990, 2025),
    (r"month", 1, 12),
    (r"day", 1, 28),
    (r"hour", 0, 23),
    (r"minute|second", 0, 59),
    (r"rating|stars|score", 1, 5),
    (r"percent(age)?|pct|discount|progress|rate|ratio|share", 0, 100),
    (r"lat(itude)?", -90, 90),
    (r"lon(gitude)?|lng", -180, 180),
    (r"stock|inventory|views?|clicks?|likes?|size|bytes", 0, 10_000),
    (r"salary|income|revenue", 20_000, 150_000),
    (r"priority|level|grade", 1, 5),
    (r"port", 1024, 65_535),
)
_BY_KIND: dict[Kind, str] = {
    "integer": "integer",
    "decimal": "decimal",
    "float": "float",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "datetime": "datetime",
    "interval": "interval",
    "uuid": "uuid",
    "json": "json",
    "bytes": "bytes",
    "inet": "ip",
    "mac": "mac",
    "array": "array",
}


def chosen(wanted: Wanted, *, unique: bool) -> tuple[str, Builder | None]:
    """Return name and builder for a column without a rule that says so, or the name alone where nothing fits."""
    rule, limits, kind = wanted.rule, wanted.column.limits, wanted.column.kind
    if rule.values is not None or limits.values is not None:
        return "choice", GENERATORS["choice"]
    if rule.pattern is not None:
        return "pattern", GENERATORS["pattern"]
    if kind == "text":
        name = _text(wanted, unique=unique)
        return name, GENERATORS[name]
    if kind in {"integer", "decimal", "float"}:
        return kind, _number(wanted, kind)
    if kind in {"date", "datetime"} and _says(wanted.column.name, r"birth(_?(day|date))?|dob|born"):
        return kind, _born(kind)
    name = _BY_KIND.get(kind, "")
    return name, GENERATORS.get(name)


def _text(wanted: Wanted, *, unique: bool) -> str:
    column, length = wanted.column.name, wanted.column.limits.length
    if _says(column, r"status") and not unique:
        return "word"
    for words, name in _TEXTS:
        if _says(column, words):
            return name
    if column.lower() == "name" or column.lower().endswith("_name"):
        return _name(wanted.table if column.lower() == "name" else column, unique=unique)
    if unique:
        return "code" if length is None or length >= 6 else "token"
    return "sentence" if length is None or length > 60 else "title" if length > 20 else "word"


def _name(about: str, *, unique: bool) -> str:
    if _PEOPLE.search(about):
        return "name"
    if _COMPANIES.search(about) and not unique:
        return "company"
    return next((name for words, name in _PLACES if words.search(about) and not unique), "title")


def _number(wanted: Wanted, kind: Kind) -> Builder:
    builder = {"integer": integer, "decimal": decimal, "float": real}[kind]
    for words, low, high in _NUMBERS:
        if _says(wanted.column.name, words):
            return lambda one: builder(one, low, high)
    return builder


def _born(kind: Kind) -> Builder:
    builder = days if kind == "date" else moments
    return lambda one: builder(one, date(1940, 1, 1), date(2007, 12, 31))


def _says(name: str, words: str) -> bool:
    """Whether one of the words stands in a name of the kinds snake_case and camelCase."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.search(rf"(^|_)({words})($|_)", snake) is not None
