"""Addresses as they may be shown to people who only have to tell them apart."""


def masked(address: str) -> str:
    """`g•••@example.test`, `+32•••22`: enough to tell a member's addresses apart, too little to use one."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1]}•••@{domain}"
    return f"{address[:3]}•••{address[-2:]}"
