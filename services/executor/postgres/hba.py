"""Blocks of a pg_hba.conf that belong to a tenant: how they look, go in and come out, byte for byte.

A block begins with a line that names the step that made it and ends with one of the same token, so nobody else's line
is ever touched. It stands at the top, because the first line that fits decides, or below a line `# opsledger: here`
where the server's owner put one. Refuses to know files and servers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HERE: Final = "# opsledger: here"
_BEGIN: Final = re.compile(r'^# BEGIN opsledger (?P<token>\S+) database "(?P<database>[^"]+)" role "(?P<role>[^"]+)"$')


@dataclass(frozen=True, slots=True)
class Block:
    """One tenant's lines with the lines around them; `token` says which step made it."""

    token: str
    database: str
    role: str
    text: str


def block(token: str, database: str, role: str, networks: Sequence[str]) -> Block:
    """Return a block that lets the role into its database from these networks alone."""
    who = f'"{database}" "{role}"'
    lines = [f'# BEGIN opsledger {token} database "{database}" role "{role}"']
    lines += [f"host {who} {network} scram-sha-256" for network in networks]
    lines += [f"host {who} all reject", f"# END opsledger {token}"]
    return Block(token, database, role, "".join(f"{line}\n" for line in lines))


def blocks(text: str) -> list[Block]:
    """Return every block of a file. Raises `ValueError` when one has no end."""
    found: list[Block] = []
    lines = text.splitlines(keepends=True)
    place = 0
    while place < len(lines):
        begin = _BEGIN.match(lines[place].rstrip("\r\n"))
        if begin is None:
            place += 1
            continue
        ending = f"# END opsledger {begin['token']}"
        end = next((n for n in range(place, len(lines)) if lines[n].rstrip("\r\n") == ending), None)
        if end is None:
            raise ValueError(f"the block of {begin['token']} has no end")
        inside = "".join(lines[place : end + 1])
        found.append(Block(begin["token"], begin["database"], begin["role"], inside))
        place = end + 1
    return found


def with_block(text: str, new: Block) -> str:
    """Return the file with a block put in."""
    for line in text.splitlines(keepends=True):
        if line.strip() == HERE:
            return text.replace(line, f"{line}{new.text}", 1)
    return new.text + text


def without_block(text: str, gone: Block) -> str:
    """Return the file with exactly this block taken out."""
    return text.replace(gone.text, "", 1)
