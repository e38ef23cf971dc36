"""A task that somebody is about to create: the form's texts, the body they mean, what is wrong with it.

A draft is of a task type, or of a plan of one's own (`card` is None); its parameters stand in fields or as JSON. What
is wrong with a body is what the API says of it. Knows no HTTP and no markup.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from services.api.console.fields import ABSENT, Field, Kind, fields_of
from services.api.console.filling import MAX_ROWS, Texts, below, count, spelled
from services.api.console.inputs import Errors, Input, closer, drawn, named, parted, sorted_out
from services.api.console.reading import json_of, read
from services.api.creation import OF
from services.api.invalid import Fault
from shared.task.plan import TypeCard
from shared.task.words import TEAM

STRING: Final = frozenset({"string"})
ABOUT: Final = (
    Field("name", Kind.TEXT, "Name of the task", "What lists call it. Default: the type's name.", types=STRING),
    Field(
        "object",
        Kind.GROUP,
        "What it is about",
        "Tasks can be found by it.",
        fields=(
            Field("kind", Kind.TEXT, "Kind", "host, cluster, tenant, database …", types=STRING),
            Field("name", Kind.TEXT, "Name", types=STRING),
            Field("id", Kind.TEXT, "ID", "Where another system has one.", types=STRING),
        ),
    ),
    Field("labels", Kind.PAIRS, "Labels", types=STRING),
)
"""What every task can be given besides its parameters."""
OWNER: Final = Field(TEAM, Kind.TEXT, "Team", "Whose task it is; who sees this team's tasks sees it.", types=STRING)
PARENT: Final = Field("parent", Kind.CHOICE, "Standing task", required=True, types=frozenset({"integer"}))
WHOLE: Final = Field("params", Kind.JSON, "Parameters", types=frozenset())
PLAN: Final = Field("plan", Kind.JSON, "Plan", required=True)


@dataclass(slots=True)
class Draft:
    """What is being filled in. `parents`: the standing tasks that a request can be made to, by id."""

    card: TypeCard | None
    texts: Texts
    as_json: bool = False
    teams: tuple[str, ...] | None = None
    """The teams it can belong to, None: any."""
    parents: Mapping[int, str] = field(default_factory=dict)
    errors: Errors = field(default_factory=Errors)

    @property
    def params(self) -> tuple[Field, ...]:
        """The parameters' fields; one of JSON where they cannot be drawn, or somebody likes it better."""
        if self.card is None:
            return ()
        found = None if self.as_json else self.drawable
        return (WHOLE,) if found is None else found

    @property
    def drawable(self) -> tuple[Field, ...] | None:
        """The parameters' own fields, or None."""
        assert self.card is not None  # noqa: S101  a plan has no parameters
        return fields_of(self.card.params_schema, (OF,) if self.card.child_of is not None else ())

    @property
    def base(self) -> str:
        """What the names of the parameters' fields begin with."""
        return "" if self.params == (WHOLE,) else "/params"

    @property
    def owner(self) -> tuple[Field, ...]:
        """The team's field."""
        if self.teams is None:
            return (OWNER,)
        hint = OWNER.hint if len(self.teams) > 1 else "Your own."
        return (replace(OWNER, kind=Kind.CHOICE, choices=self.teams, required=True, hint=hint),)

    @property
    def above(self) -> tuple[Field, ...]:
        """What comes before the parameters: the plan, or the standing task."""
        if self.card is None:
            return (PLAN,)
        if self.card.child_of is None:
            return ()
        hint = f"The task of type {self.card.child_of} that does it; its parameters count here."
        return (replace(PARENT, choices=tuple(self.parents), hint=hint),)

    def fill(self, body: Mapping[str, Any]) -> None:
        """Put what a body says into the fields, and defaults into the rest."""
        params = body.get("params") or {}
        self.texts = spelled(self.params, {"params": params} if self.params == (WHOLE,) else params, self.base)
        labels = dict(body.get("labels") or {})
        own = {TEAM: labels.pop(TEAM, self.teams[0] if self.teams and len(self.teams) == 1 else ABSENT)}
        self.texts |= spelled(self.owner, own, "/labels")
        self.texts |= spelled((*self.above, *ABOUT), {**body, "labels": labels}, "")

    def switch(self, *, as_json: bool) -> list[Fault]:
        """Show the parameters as JSON, or in fields again; return what could not be read."""
        body, faults = self.body()
        if not faults:
            self.as_json = as_json
            self.fill(body)
        return faults

    def add(self, at: str) -> None:
        """Add an empty row to the list of this name."""
        one, number = self.names().get(at), count(self.texts, at)
        if one is not None and one.kind is Kind.ROWS and number < MAX_ROWS:
            self.texts |= {at: str(number + 1), **spelled(one.fields, {}, below(at, number))}

    def remove(self, row: str) -> None:
        """Take a row out of its list; those behind it move up."""
        at, _, place = row.rpartition("/")
        total = count(self.texts, at)
        if not place.isdigit() or int(place) >= total:
            return
        gone, kept = int(place), Texts()
        for name, text in self.texts.items():
            head, sep, rest = name.partition(at + "/")
            number, slash, tail = rest.partition("/")
            if not sep or head not in {"", "null:"} or not number.isdigit() or int(number) < gone:
                kept[name] = text
            elif int(number) > gone:
                kept[f"{head}{at}/{int(number) - 1}{slash}{tail}"] = text
        self.texts = {**kept, at: str(total - 1)}

    def body(self) -> tuple[dict[str, Any], list[Fault]]:
        """Return the body that the form means, as REST takes it, and what could not be read."""
        found, faults = read(ABOUT, self.texts, "")
        owner, more = read(self.owner, self.texts, "/labels")
        faults += more
        labels = {**found.pop("labels", {}), **{key: value for key, value in owner.items() if value is not None}}
        body: dict[str, Any] = {**found, **({"labels": labels} if labels else {})}
        if self.card is None:
            return self._plan(body, faults)
        params, more = read(self.params, self.texts, self.base)
        upper, also = read(self.above, self.texts, "")
        params = params.get("params", {}) if self.params == (WHOLE,) else params
        return {"type": self.card.name, "params": params, **upper, **body}, [*faults, *more, *also]

    def _plan(self, body: dict[str, Any], faults: list[Fault]) -> tuple[dict[str, Any], list[Fault]]:
        """Return the body of a pasted plan, or of a whole body around one; fields of the form outweigh the latter's."""
        found = json_of(self.texts.get("/plan", "") or "null", "/plan", faults)
        if isinstance(found, dict) and "plan" in found and "subtasks" not in found:
            return {**found, **body}, faults
        if found is None:
            faults.append(Fault("/plan", "paste a plan as JSON: an object with subtasks"))
        return {"plan": found, **body}, faults

    def blame(self, faults: Iterable[Fault], body: Mapping[str, Any]) -> None:
        """Put what is wrong beside the fields."""
        names = self.names()
        self.errors = sorted_out(closer(faults, names, _flat(body)), names)

    def names(self) -> dict[str, Field | None]:
        """Return every field by its name."""
        upper = named((*self.above, *ABOUT), self.texts, "")
        return {**upper, **named(self.owner, self.texts, "/labels"), **named(self.params, self.texts, self.base)}

    def inputs(self) -> dict[str, Any]:
        """Return the controls: above, parameters, those folded away, and what every task has."""
        errors = self.errors.by_name
        shown, folded = parted(self.params)
        more = drawn(folded, self.texts, errors, self.base)
        above: tuple[Input, ...] = drawn(self.above, self.texts, errors, "")
        if self.card is not None and above:
            above = (replace(above[0], options=(("", "Choose …"), *((str(k), v) for k, v in self.parents.items()))),)
        about = (*drawn(ABOUT, self.texts, errors, ""), *drawn(self.owner, self.texts, errors, "/labels"))
        return {
            "above": above,
            "shown": drawn(shown, self.texts, errors, self.base),
            "more": more,
            "more_open": any(one.touched for one in more),
            "about": about,
            "about_open": any(one.touched or one.required for one in about) or bool(self.texts.get("/name")),
        }

    def wrong(self) -> list[tuple[str, str, str]]:
        """Return name, label and message of every field that something is wrong with, as they follow in the form."""
        names = self.names()
        found = [(name, one, self.errors.by_name[name]) for name, one in names.items() if name in self.errors.by_name]
        return [(name, one.label if one is not None else name, error) for name, one, error in found]


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    """Return every value within a body by its pointer."""
    found = {at: value}
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inside in items:
        found |= _flat(inside, below(at, key))
    return found
