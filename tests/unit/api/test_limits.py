"""How fast somebody may ask: what is left, how long to wait, and who is forgotten."""

import pytest

from services.api.identity import limits
from services.api.identity.limits import Pace, network


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    """Five at once, then two a second; what is refused takes nothing."""
    clock = Clock()
    pace = Pace(2, 5, clock)
    assert [int(pace.take("a")) for _ in range(5)] == [4, 3, 2, 1, 0]
    assert pace.take("a") == -1
    assert pace.wait(-1) == 1
    assert int(pace.take("b")) == 4
    clock.at += 0.5
    assert pace.take("a") == 0
    assert pace.take("a") < 0
    clock.at += 60
    assert int(pace.take("a")) == 4


def test_what_is_given_back_counts_again() -> None:
    """Never more than the burst."""
    pace = Pace(1, 2, Clock())
    pace.take("a")
    pace.give_back("a")
    pace.give_back("a")
    pace.give_back("nobody")
    assert pace.take("a") == 1


@pytest.mark.parametrize(("left", "seconds"), [(5.0, 0), (4.0, 1), (0.0, 3), (-1.0, 3)])
def test_a_bucket_says_when_it_is_full_again(left: float, seconds: int) -> None:
    """In whole seconds, rounded up."""
    assert Pace(2, 5, Clock()).reset(left) == seconds


def test_memory_is_bounded() -> None:
    """Whoever has a full bucket is forgotten first; a flood of names evicts the oldest."""
    clock = Clock()
    pace = Pace(1, 1, clock)
    for number in range(limits.MAX_KEPT + 500):
        pace.take(str(number))
    assert len(pace._levels) <= limits.MAX_KEPT
    clock.at += 10
    for number in range(limits.MAX_KEPT):
        pace.take(f"later {number}")
    assert len(pace._levels) <= limits.MAX_KEPT


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_client_owns_its_whole_network(address: str, stands_for: str) -> None:
    """Else one client would have as many attempts as a /64 has addresses."""
    assert network(address) == stands_for
