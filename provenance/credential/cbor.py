"""Is this CBOR what it says it is? A check of lengths alone (RFC 8949, appendix C). Pure.

c2pa-rs believes a length before it looks: a credential of 14 KB that announces a list of billions
costs it 20 seconds and 3 GB. So nothing reaches it, or any other decoder, unless each length fits
into the bytes that are there.
"""

MAX_DEPTH = 64  # credentials nest below ten
MAX_ITEMS = 500_000  # about half a second of this check
INDEFINITE = 31

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)


def is_well_formed(data: bytes) -> bool:
    """Whether ``data`` begins with one whole item within the limits; what follows is ignored."""
    at = 0
    open_items = [1]  # how many more items each open container takes; -1: until a break
    for _ in range(MAX_ITEMS):
        while open_items and open_items[-1] == 0:
            open_items.pop()
        if not open_items:
            return True
        if at >= len(data) or len(open_items) > MAX_DEPTH:
            return False
        major, info = data[at] >> 5, data[at] & 0x1F
        at += 1
        if open_items[-1] > 0:
            open_items[-1] -= 1
        elif data[at - 1] == 0xFF:  # the break that ends a container of indefinite length
            open_items.pop()
            continue
        if info == INDEFINITE:
            if major not in (_BYTES, _TEXT, _ARRAY, _MAP):
                return False
            open_items.append(-1)
            continue
        if info > 27:
            return False
        width = 0 if info < 24 else 1 << (info - 24)
        if at + width > len(data):
            return False
        value = info if width == 0 else int.from_bytes(data[at : at + width], "big")
        at += width
        left = len(data) - at
        if major in (_BYTES, _TEXT):
            if value > left:
                return False
            at += value
        elif major in (_ARRAY, _MAP):
            items = value * (2 if major == _MAP else 1)
            if items > left:  # an item takes a byte at least
                return False
            open_items.append(items)
        elif major == _TAG:
            open_items.append(1)
    return False
