"""Egress: which addresses may be connected to (B20, S11)."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.egress import Rule, check, kind, plain
from services.executor.fault import PermanentFault

NOT_PUBLIC = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "198.18.0.1", "192.0.2.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1",
]  # fmt: skip
METADATA = ["169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254"]


def allowed(host: str, address: str, *rules: str, port: int = 443) -> bool:
    """Whether one address is allowed under these rules."""
    try:
        check(host, port, [ip_address(address)], tuple(Rule.parse(rule) for rule in rules))
    except PermanentFault as fault:
        return not fault.message.startswith("egress_denied: ")
    return True


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Without a rule nothing inside is reachable, however its address is dressed up."""
    assert not allowed("name.example", address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "1.1.1.1"])
def test_public_addresses_need_no_rule(address: str) -> None:
    """The internet is reachable unless the network says no."""
    assert allowed("name.example", address)


@pytest.mark.parametrize("address", METADATA)
def test_no_name_leads_to_metadata(address: str) -> None:
    """A listed name may lead inside, but never to a metadata service or a link-local address."""
    assert not allowed("intranet.example", address, "intranet.example")
    assert allowed("intranet.example", address, str(plain(ip_address(address))))


@pytest.mark.parametrize(
    ("rule", "host", "port", "fits"),
    [
        ("db.example", "db.example", 443, True),
        ("db.example", "DB.example.", 443, True),
        ("db.example", "x.db.example", 443, False),
        (".example", "x.db.example", 443, True),
        (".example", "badexample", 443, False),
        ("db.example:8443", "db.example", 443, False),
        ("db.example:443", "db.example", 443, True),
        ("10.0.0.0/8", "db.example", 443, True),
        ("10.0.0.0/8:8443", "db.example", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.4", "10.1.2.3", 443, False),
        ("[fd00::1]:443", "db.example", 443, False),
    ],
)
def test_rules_open_exactly_what_they_say(rule: str, host: str, port: int, fits: bool) -> None:
    """Names, subdomains, addresses, networks and ports."""
    assert allowed(host, "10.1.2.3", rule, port=port) is fits


@pytest.mark.parametrize("rule", ["", "http://x/", "a:b", "10.0.0.0/40", "x/y"])
def test_a_rule_that_means_nothing_is_refused(rule: str) -> None:
    """A slip in the policy is an error, not an open door."""
    with pytest.raises(ValueError):  # noqa: PT011 - several reasons
        Rule.parse(rule)


def test_one_bad_address_spoils_the_name() -> None:
    """A name with a public and a private address is refused as a whole: a rebinding in the making."""
    addresses = [ip_address("93.184.216.34"), ip_address("127.0.0.1")]

    with pytest.raises(PermanentFault):
        check("rebind.example", 80, addresses, ())


@given(st.ip_addresses(v=4))
def test_wrapping_does_not_change_the_verdict(address: IPv4Address) -> None:
    """An IPv4 address inside an IPv6 one is judged as what it is."""
    for wrapped in (IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")):
        assert kind(plain(wrapped)) == kind(address)
