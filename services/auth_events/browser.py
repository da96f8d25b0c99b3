"""By what a browser is known again, and what it is called. PURE but for the tables of ua-parser.

Known by the provider's id of it where one is given; else by its family, its system and the network it comes from, /24
or /48, without versions, which change by themselves. Kept is a hash in which the member's id is mixed: the same browser
of two members is two rows, and no row says an address.

Called by ua-parser's families, never by what the browser sent. Its Rust engine takes time linear in the text, whatever
somebody sends.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from ua_parser import parse

from schemas.identity import SignedOnV1

V4_PREFIX = 24
V6_PREFIX = 48
_UNKNOWN = "Other"


@dataclass(frozen=True, slots=True)
class Words:
    """What a notice may say; None: not known."""

    browser: str | None
    system: str | None


def words_of(user_agent: str | None) -> Words:
    if not user_agent:
        return Words(None, None)
    parsed = parse(user_agent)
    browser = parsed.user_agent.family if parsed.user_agent else None
    system = parsed.os.family if parsed.os else None
    return Words(*(None if word == _UNKNOWN else word for word in (browser, system)))


def load() -> None:
    """The tables, once, before anybody waits: a third of a second."""
    words_of("-")


def network_of(text: str | None) -> str | None:
    """The network of an address; a name of a network in lower case."""
    if not text:
        return None
    try:
        address = ip_address(text.strip())
    except ValueError:
        return text.strip().lower() or None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Network((int(address), V6_PREFIX), strict=False))  # by its number: a scope falls away
        address = address.ipv4_mapped
    return str(IPv4Network((int(address), V4_PREFIX), strict=False))


def fingerprint(member: str, sign_on: SignedOnV1) -> bytes | None:
    """None: nothing was said by which it could be known again."""
    if sign_on.device_id:
        parts = ["device", sign_on.device_id]
    else:
        words, network = words_of(sign_on.user_agent), network_of(sign_on.network)
        if words.browser is None and words.system is None and network is None:
            return None
        parts = ["browser", words.browser or "", words.system or "", network or ""]
    return hashlib.sha256("\0".join([member, *parts]).encode()).digest()
