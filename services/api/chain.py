"""The hash chain of one task: does every commit name the one before it, byte for byte? Pure.

Each commit carries the SHA-256 of its predecessor's body, so an edit, a removal or an insertion breaks a link. Which
end of a broken link is at fault, the link after it tells. Nothing follows the last commit: it is vouched for by the
hash that the view has kept (`Witness`), unless the view was rebuilt since.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode, digest


@dataclass(frozen=True, slots=True)
class Witness:
    """What the view has kept of a task: the log position and the hash it stands at."""

    seq: int
    head: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The commit at log position `seq` is not what was written there, and how that shows."""

    seq: int
    why: str


@dataclass(slots=True)
class Chain:
    """What was found: `commits` messages up to `seq`, whose last hash is `head`."""

    task: int
    commits: int = 0
    seq: int = 0
    head: str = ""
    broken: list[Broken] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every link holds."""
        return not self.broken


@dataclass(frozen=True, slots=True)
class _Link:
    """A message: the hash of its body, the hash it names, and why it cannot be read, if so."""

    seq: int
    digest: str
    prev: str | None
    problem: str | None = None


def check(task_id: int, messages: Sequence[Stored], witness: Witness | None = None) -> Chain:
    """Follow a task's messages from the first one on; `witness` must have been asked before they were read."""
    links = [_link(task_id, message) for message in messages]
    found = Chain(task_id, len(links), links[-1].seq if links else 0)
    heads: dict[int, str] = {}
    for place, link in enumerate(links):
        # what the follower, or else the witness, says this message's hash, or the head before it, was
        before = links[place - 1] if place else None
        after = links[place + 1].prev if place + 1 < len(links) else None
        if after is None and witness is not None:
            after = _vouched(witness, link, before, found.head)
        _follow(found, link, after, before)
        heads[link.seq] = found.head
    if witness is not None and found.whole and heads.get(witness.seq) != witness.head:
        found.broken.append(_contradicted(witness, heads, found.seq))
    return found


def _vouched(witness: Witness, link: _Link, before: _Link | None, head: str) -> str | None:
    """Return what the witness says of a message without a follower."""
    if witness.seq == link.seq:
        return witness.head
    fits = before is not None and witness == Witness(before.seq, head) and link.prev != head
    return head if fits else None


def _follow(found: Chain, link: _Link, after: str | None, before: _Link | None) -> None:
    """Take one link in; where it does not hold, say who is at fault and go on as if it had held."""
    if link.prev == found.head and (link.problem is None or after == link.digest):
        found.head = link.digest
    elif after == found.head:  # its follower knows nothing of it
        found.broken.append(Broken(link.seq, link.problem or "it was put in: nothing around it knows it"))
    elif link.problem is not None:
        found.broken.append(Broken(link.seq, link.problem))
        found.head = after or link.digest
    elif after not in {None, link.digest}:
        found.broken.append(Broken(link.seq, "it was changed: its follower names another hash"))
        found.head = after or ""
    else:
        found.broken.append(_blamed(link, before, sure=after is not None))
        found.head = link.digest


def _blamed(link: _Link, before: _Link | None, *, sure: bool) -> Broken:
    if before is None:
        return Broken(link.seq, "it names a predecessor that is not there: the beginning is missing")
    doubt = "" if sure else f", or {link.seq} itself was changed"
    return Broken(
        before.seq,
        f"its hash is not the one that {link.seq} names: it was changed, a commit between them was removed{doubt}",
    )


def _contradicted(witness: Witness, heads: dict[int, str], last: int) -> Broken:
    if witness.seq in heads:
        return Broken(witness.seq, "it was changed: the view has kept another hash")
    return Broken(witness.seq, f"it is gone: the view has seen it, the log has nothing there and ends at {last}")


def _link(task_id: int, message: Stored) -> _Link:
    try:
        commit = decode(message.body)
    except Undecodable as problem:
        newer = problem.reason == "newer_version"
        why = "a newer version wrote it; nothing vouches for it" if newer else f"it cannot be read: {problem}"
        return _Link(message.seq, digest(message.body), _named(message.body), why[:300])
    stray = f"it is a commit of task {commit.task}" if commit.task != task_id else None
    return _Link(message.seq, digest(message.body), commit.prev, stray)


def _named(body: bytes) -> str | None:
    """Return the hash that an unreadable commit names, if so much can be read."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    prev = found.get("prev") if isinstance(found, dict) else None
    return prev if isinstance(prev, str) else None
