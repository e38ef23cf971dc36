"""Something to try things on: a small database and two folders, offered as connections at a directory's first start.

Responsible for: the files and their connections. Refuses to know: anything but REST; its failure is told, not fatal.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2

from opsledger.cli.data_dir import DataDir
from opsledger.cli.rest import targets
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Connection

_TABLES: Final = """
CREATE TABLE customers (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, city TEXT NOT NULL, since DATE NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), item TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0), amount NUMERIC(10, 2) NOT NULL, placed_at TIMESTAMP NOT NULL
);
"""
_NAMES: Final = (
    ("Ada Lindqvist", "Uppsala"),
    ("Bao Nguyen", "Da Nang"),
    ("Carla Mendes", "Porto"),
    ("Dmitri Volkov", "Kazan"),
    ("Esi Owusu", "Kumasi"),
    ("Farid Haddad", "Amman"),
    ("Greta Baumann", "Bern"),
    ("Hana Sato", "Sapporo"),
    ("Ines Duarte", "Salta"),
    ("Jonas Keller", "Graz"),
    ("Karin Olsen", "Bergen"),
    ("Luis Romero", "Quito"),
)
_ITEMS: Final = (("keyboard", 89.9), ("monitor", 249.0), ("dock", 129.5), ("cable", 12.4), ("headset", 74.25))
_ORDERS: Final = 40


def make(home: DataDir) -> bool:
    """Make the files unless they are there; whether they were made, which is so at the first start alone."""
    folder = home.samples
    if folder.exists():
        return False
    draft = folder.with_name(".samples")
    for name in ("source/reports", "destination"):
        (draft / name).mkdir(parents=True, exist_ok=True)
    (draft / "source" / "notes.txt").write_text("Objects to synchronise.\n", encoding="utf-8")
    for month in ("2026-01", "2026-02", "2026-03"):
        rows = "".join(f"{month}-{day:02},{day * 7 % 50}\n" for day in range(1, 29))
        (draft / "source" / "reports" / f"{month}.csv").write_text(f"day,orders\n{rows}", encoding="utf-8")
    (draft / "sample.db").unlink(missing_ok=True)  # of a start that was interrupted
    _database(draft / "sample.db")
    draft.rename(folder)
    return True


async def offer(home: DataDir, url: str, password: str) -> None:
    """Define the connections. Raises what the client raises."""
    folder = home.samples
    offered: dict[str, dict[str, Any]] = {
        "sample-db": {
            "url": f"sqlite://{quote(str(folder / 'sample.db'))}",
            "description": "SQLite with customers and orders, to try things on.",
        },
        "sample-source": {
            "url": f"file://{quote(str(folder / 'source'))}",
            "description": "A folder with a few objects.",
        },
        "sample-destination": {
            "url": f"file://{quote(str(folder / 'destination'))}",
            "description": "An empty folder to synchronise into.",
        },
    }
    async with Client(Connection(url, httpx2.BasicAuth("admin", password))) as client:
        await asyncio.gather(*(targets.define(client, name, body) for name, body in offered.items()))


def _database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(_TABLES)
        for number, (name, city) in enumerate(_NAMES, start=1):
            email = f"{name.lower().replace(' ', '.')}@example.org"
            since = f"{2019 + number % 6}-{1 + number * 5 % 12:02}-{1 + number * 7 % 28:02}"
            database.execute("INSERT INTO customers VALUES (?, ?, ?, ?, ?)", (number, name, email, city, since))
        for number in range(1, _ORDERS + 1):
            item, price = _ITEMS[number * 3 % len(_ITEMS)]
            quantity = 1 + number * 7 % 4
            placed = f"2026-{1 + number % 3:02}-{1 + number * 11 % 28:02} {8 + number % 10:02}:{number * 13 % 60:02}:00"
            row = (number, 1 + number * 5 % len(_NAMES), item, quantity, round(price * quantity, 2), placed)
            database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", row)
