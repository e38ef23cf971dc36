"""Forms of a few plain fields."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.api.console import blanks
from services.api.console.blanks import blamed, first, typed, words
from services.api.invalid import Invalid

NAME = blanks.Field("name", "Name")
SECRET = blanks.Field("secret", "Secret", "password")


class Body(BaseModel):
    """What a form asks for."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=3)
    secret: str
    tags: list[int] = []


def wrong(**given: object) -> ValidationError:
    """What is wrong with a body."""
    try:
        Body.model_validate(given)
    except ValidationError as error:
        return error
    raise AssertionError("nothing is")


def test_what_was_typed_stays_but_for_passwords() -> None:
    """They are never sent back."""
    shown = typed([NAME, SECRET], {"name": "ada", "secret": "swordfish", "other": "x"})

    assert [field.value for field in shown] == ["ada", ""]


def test_each_fault_stands_beside_its_field() -> None:
    """As a sentence; what belongs to no field of the form is said above it."""
    shown, above = blamed([NAME, SECRET], wrong(name="a", tags=["x"]))

    assert [field.error for field in shown] == ["It should have at least 3 characters.", "This is needed."]
    assert above.startswith("tags: Input should be a valid integer")


def test_a_fault_of_the_whole_stands_above() -> None:
    """Without a name."""
    shown, above = blamed([NAME], Invalid.at([], "this cannot be"))

    assert (shown[0].error, above) == ("", "This cannot be.")


def test_words_are_between_commas() -> None:
    """Nothing between them is nothing."""
    assert words(" a b,,c ,") == ["a b", "c"]
    assert words(" , ") is None


def test_a_field_counts_once() -> None:
    """The first that was sent."""
    assert first([("a", "1"), ("b", "2"), ("a", "3")]) == {"a": "1", "b": "2"}
