"""Names are cut so that they fit into their boxes."""

import pytest

from services.api.console.lettering import fitted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "short"),
        ("", ""),
        ("create the database", "create the datab…"),
        ("iiiiiiiiiiiiiiiiiiiiiiiiiiiii", "iiiiiiiiiiiiiiiiiiiiiiiiiiiii"),
        ("WWWWWWWWWWWWWWWW", "WWWWWWWWW…"),
        ("数据库准备工作数据库准备", "数据库准备工作数…"),
        ("ten letters wide", "ten letters wide"),
        ("seventeen letter s words", "seventeen letter…"),
    ],
)
def test_names_are_cut_to_fit(text: str, shown: str) -> None:
    """What does not fit ends in an ellipsis, never in a space; slim letters take less room than broad ones."""
    assert fitted(text, 120, 12) == shown
