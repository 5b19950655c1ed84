"""How many inputs each class of bad input gets.

FUZZ_TOTAL is how many all classes get together; without it each gets a few, so that the fast suite stays fast.
"""

import os

TOTAL = int(os.environ.get("FUZZ_TOTAL", "0"))
FEW = 150

# Of a thousand. B1 and B2 are tried over real sockets, in tests/edge.
SHARES = {
    "B3 compressed bodies": 10,
    "B4 text": 50,
    "B5 JSON": 120,
    "B6 queries and forms": 80,
    "B7 hits of gtag.js": 150,
    "B8 Measurement Protocol": 80,
    "B9 x-ttq": 90,
    "B10 cookies": 50,
    "B11 addresses": 20,
    "B12 persons": 90,
    "B13 numbers, money, times": 45,
    "B14 URLs": 45,
    "B16 answers of TikTok": 45,
    "B17 settings": 4,
    "B18 the admin port": 8,
    "B20 our examples, changed": 113,
}


def inputs(row: str, *, few: int = FEW, parts: int = 1) -> int:
    """How many inputs a test gets of its class, of which it may be one part of several."""
    return max(few, TOTAL * SHARES[row] // 1000 // parts)
