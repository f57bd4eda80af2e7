"""Rules of ordering: what explains the orders in which a client was seen to send things."""

from dataclasses import dataclass

Item = int | str


@dataclass(frozen=True, slots=True)
class OrderRule:
    """How a client orders things.

    Attributes:
        kind: "fixed", "permuted", "rotated" or "one seen".
        items: in the fixed order, or in the order in which they were first seen.
        front, back: items that stay where they are, before and behind those that move.
    """

    kind: str
    items: tuple[Item, ...]
    front: tuple[Item, ...] = ()
    back: tuple[Item, ...] = ()

    @property
    def middle(self) -> tuple[Item, ...]:
        """The items that move."""
        return self.items[len(self.front) : len(self.items) - len(self.back)]

    def allows(self, order: tuple[Item, ...]) -> bool:
        """Whether the rule could give this order; what the rule has not heard of is not judged."""
        known = tuple(name for name in order if name in self.items)
        own = tuple(name for name in self.items if name in order)
        if self.kind in ("fixed", "one seen"):
            return known == own
        front = tuple(name for name in self.front if name in order)
        back = tuple(name for name in self.back if name in order)
        if known[: len(front)] != front or known[len(known) - len(back) :] != back:
            return False
        if self.kind == "permuted":
            return True
        ring = own[len(front) : len(own) - len(back)]
        return known[len(front) : len(known) - len(back)] in rotations(ring)

    def __str__(self) -> str:
        words = " ".join(map(shown, self.middle if self.kind in ("permuted", "rotated") else self.items))
        front = f"{' '.join(map(shown, self.front))} first, " if self.front else ""
        back = f", {' '.join(map(shown, self.back))} last" if self.back else ""
        if self.kind == "permuted":
            words = " ".join(sorted(map(shown, self.middle)))
        return f"{self.kind}: {front}{words}{back}"


def rotations(items: tuple[Item, ...]) -> list[tuple[Item, ...]]:
    return [items[start:] + items[:start] for start in range(len(items))] or [()]


def order_rule(seen: list[tuple[Item, ...]]) -> OrderRule:
    """The narrowest rule that explains all orders that were seen."""
    if not seen:
        raise ValueError("no order was seen")
    common = [name for name in seen[0] if all(name in order for order in seen)]
    cut = [tuple(name for name in order if name in common) for order in seen]
    extra = tuple(dict.fromkeys(name for order in seen for name in order if name not in common))
    first = cut[0]
    if len(seen) == 1:
        return OrderRule("one seen", first)
    if all(order == first for order in cut):
        return OrderRule("fixed", merged_order(seen))
    size = len(first)
    front = 0
    while front < size and all(order[front] == first[front] for order in cut):
        front += 1
    back = 0
    while back < size - front and all(order[-1 - back] == first[-1 - back] for order in cut):
        back += 1
    ring = first[front : size - back]
    if size - front - back > 2 and all(order[front : size - back] in rotations(ring) for order in cut):
        start = ring.index(min(ring, key=shown))
        ring = ring[start:] + ring[:start]
        return OrderRule(
            "rotated", first[:front] + ring + first[size - back :], first[:front], first[size - back :]
        )
    items = first[:front] + ring + extra + first[size - back :]
    return OrderRule("permuted", items, first[:front], first[size - back :])


def merged_order(seen: list[tuple[Item, ...]]) -> tuple[Item, ...]:
    """One order that contains all of several that do not contradict each other."""
    longest = max(len(order) for order in seen)
    merged: list[Item] = list(next(order for order in seen if len(order) == longest))
    for order in seen:
        for place, name in enumerate(order):
            if name not in merged:
                before = order[place - 1] if place else None
                merged.insert(merged.index(before) + 1 if before in merged else 0, name)
    return tuple(merged)


def shown(name: Item) -> str:
    return name if isinstance(name, str) else f"0x{name:x}"
