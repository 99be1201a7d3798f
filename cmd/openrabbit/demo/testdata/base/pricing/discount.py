"""Prices are in cents."""


def discounted(total, percent):
    """The total after a discount of so many percent."""
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be from 0 to 100, not {percent}")
    return total - total * percent // 100
