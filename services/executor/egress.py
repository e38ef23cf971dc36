"""Which addresses `http.request` may connect to: the guard against a server-side request forgery (B20, S11).

Responsible for one question: may this executor connect to these addresses, which this host name was resolved to?
Refuses to resolve and to connect. Public addresses are allowed; everything else only where the executor's policy
lists it.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Literal

from services.executor.fault import PermanentFault

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Never by name alone, so that no name server can lead there: only an address or network in the policy opens these.
_METADATA = tuple(
    ip_network(net) for net in ("168.63.129.16/32", "100.100.100.200/32", "fd00:ec2::254/128", "192.0.0.192/32")
)
_EMBEDDING = {
    ip_network("64:ff9b::/96"): 0,  # NAT64: the last 32 bits
    ip_network("::/96"): 0,  # IPv4-compatible, long deprecated
    ip_network("2002::/16"): 80,  # 6to4: bits 16 to 48
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of `egress_allow`: a host name (`.example.org`: its subdomains) or a network, with an optional port."""

    host: str | None
    network: Network | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Read `host`, `.domain`, IP, CIDR, `[v6]`, each with an optional `:port`. Raises `ValueError`."""
        host, port = text.strip().lower(), None
        if host.startswith("["):
            host, _, rest = host[1:].partition("]")
            port = int(rest.removeprefix(":")) if rest else None
        elif host.count(":") == 1:
            host, _, number = host.partition(":")
            port = int(number)
        try:
            return cls(None, ip_network(host, strict=False), port)
        except ValueError:
            if not host or "/" in host or ":" in host:
                raise ValueError(f"egress rule '{text}' is neither a host name nor an address nor a network") from None
            return cls(host.rstrip("."), None, port)

    def names(self, host: str, port: int) -> bool:
        """Whether this rule lists the host name."""
        if self.host is None or self.port not in {None, port}:
            return False
        return host == self.host or (self.host.startswith(".") and host.endswith(self.host))

    def covers(self, address: Address, port: int) -> bool:
        """Whether this rule lists the address."""
        return self.network is not None and self.port in {None, port} and address in self.network


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    for network, shift in _EMBEDDING.items():
        if address in network and int(address) > 1:
            return IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return address


def kind(address: Address) -> Literal["public", "internal", "forbidden"]:
    """Sort an address: public; internal (private, loopback, reserved); or one that no name may lead to."""
    if any(address in network for network in _METADATA):
        return "forbidden"
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return "forbidden"
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return "public" if address.is_global and not site_local and not address.is_reserved else "internal"


def check(host: str, port: int, addresses: list[Address], rules: tuple[Rule, ...]) -> list[Address]:
    """Return the addresses to connect to. Raises `PermanentFault` (`egress_denied`) if one of them is not allowed."""
    name = host.lower().rstrip(".")
    listed = any(rule.names(name, port) for rule in rules)
    checked = []
    for raw in addresses:
        address = plain(raw)
        sort = kind(address)
        by_number = any(rule.covers(address, port) or rule.covers(raw, port) for rule in rules)
        if not (sort == "public" or by_number or (listed and sort == "internal")):
            shown = "" if str(address) == name else f" ({address})"
            raise PermanentFault(
                f"egress_denied: {host}{shown}, port {port} is neither public nor in this executor's egress list.",
                {"kind": "EGRESS_DENIED", "host": host, "address": str(address), "port": port},
            )
        checked.append(address)
    return checked
