"""The sample files of a first start: made once, whole, and what their connections will find in them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from opsledger.cli.data_dir import DataDir
from opsledger.cli.local import samples


def test_samples_are_made_once(tmp_path: Path) -> None:
    """A database whose orders have customers, a folder with objects and an empty one; what people change stays."""
    home = DataDir(tmp_path)
    assert samples.make(home)
    with closing(sqlite3.connect(home.samples / "sample.db")) as database:
        count = "SELECT count(*) FROM orders JOIN customers ON customers.id = customer_id WHERE amount > 0"
        assert database.execute(count).fetchone() == (40,)
        assert database.execute("SELECT count(*) FROM customers").fetchone() == (12,)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    source = home.samples / "source"
    objects = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.is_file())
    assert objects == ["notes.txt", "reports/2026-01.csv", "reports/2026-02.csv", "reports/2026-03.csv"]
    assert list((home.samples / "destination").iterdir()) == []
    (source / "notes.txt").unlink()
    assert not samples.make(home)
    assert not (source / "notes.txt").exists()


def test_a_start_that_was_interrupted_leaves_no_half(tmp_path: Path) -> None:
    """They are made aside and moved into place; the next start makes them whole."""
    home, draft = DataDir(tmp_path), tmp_path / ".samples"
    draft.mkdir()
    (draft / "sample.db").write_bytes(b"half a database")
    assert samples.make(home)
    assert not draft.exists()
