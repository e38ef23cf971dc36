"""The result sets of a task as a zip of CSV files, laid out as ODC's (specification §6), made while it is sent.

    {n}.csv                   one a result set; n counts all statements of the script from 1, so there are gaps
    csv_execute_result.json   [{sequence, sql, fileName}], one entry a CSV file

A task with one script has them at the top; with several, each script has a folder named by the key of its subtask. One
block of rows is in memory at a time. A store that goes away in the middle breaks the download off.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from services.api.results import ResultSet, safe_name
from services.api.results_csv import Table, header
from services.api.results_rows import blocks
from services.api.sink import Sink
from shared.store.objects import Results

INDEX: Final = "csv_execute_result.json"


@dataclass(frozen=True, slots=True)
class Script:
    """What one subtask's script gave."""

    key: str
    sets: list[ResultSet]


async def zipped(results: Results, scripts: Iterable[Script], at: datetime) -> AsyncGenerator[bytes]:
    """Yield the zip, piece by piece; its files are dated `at`. Raises `ResultsUnavailable`."""
    sink = Sink()
    with ZipFile(sink, "w") as archive:
        for folder, script in _placed(scripts):
            for one in script.sets:
                table = Table(one.columns)
                with archive.open(_entry(f"{folder}{csv_name(one)}", at), "w", force_zip64=True) as file:
                    file.write(header(one.columns))
                    async with aclosing(blocks(results.read(one.reference))) as found:
                        async for block in found:
                            await asyncio.to_thread(_write, file, table, block)
                            if sink.full:
                                yield sink.taken()
            archive.writestr(_entry(folder + INDEX, at), _index(script))
            if sink.full:
                yield sink.taken()
    yield sink.taken()


def _write(file: IO[bytes], table: Table, block: bytes) -> None:
    file.write(table.lines(block))


def csv_name(one: ResultSet) -> str:
    """Return the name of a result set's file in the zip."""
    return f"{one.index}.csv"


def _index(script: Script) -> bytes:
    entries = [{"sequence": one.index, "sql": one.sql, "fileName": csv_name(one)} for one in script.sets]
    return json.dumps(entries, ensure_ascii=False, indent=1).encode(errors="replace")


def _placed(scripts: Iterable[Script]) -> list[tuple[str, Script]]:
    """Return the scripts with their folders, no two in the same."""
    found = list(scripts)
    if len(found) == 1:
        return [("", found[0])]
    taken: set[str] = set()
    placed = []
    for script in found:
        folder = safe_name(script.key.replace("/", "_"))
        count, stem = 1, folder
        while folder.casefold() in taken:
            count += 1
            folder = f"{stem}-{count}"
        taken.add(folder.casefold())
        placed.append((f"{folder}/", script))
    return placed


def _entry(name: str, at: datetime) -> ZipInfo:
    entry = ZipInfo(name, (max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second))
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry
