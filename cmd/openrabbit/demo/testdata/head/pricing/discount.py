"""Prices are in cents."""

CODES = {
    "WELCOME10": 10,
    "SUMMER25": 25,
}


def discounted(total, percent):
    """The total after a discount of so many percent."""
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be from 0 to 100, not {percent}")
    return total - total * percent // 100


def redeem(total, codes, used=[]):
    """The total after all codes of an order; a code counts once."""
    for code in codes:
        if code in used:
            continue
        total = discounted(total, CODES[code.upper()])
        used.append(code)
    return total
