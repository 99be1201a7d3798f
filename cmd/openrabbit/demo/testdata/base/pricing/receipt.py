"""Text for the printer."""

from discount import discounted


def receipt(lines, percent=0):
    """One line an article and the total."""
    total = sum(price for _, price in lines)
    out = [f"{name:<20}{price / 100:>8.2f}" for name, price in lines]
    out.append(f"{'total':<20}{discounted(total, percent) / 100:>8.2f}")
    return "\n".join(out)
