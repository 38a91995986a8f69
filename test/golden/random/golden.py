"""Reference draws of sfc32, from the algorithm's published description (PractRand, sfc.cpp).

    python golden.py > sfc32.json        # any Python 3, no packages

Seeding: a = 0, b and c the low and high 32 bits of the seed, counter = 1, twelve draws discarded.
"""

import json

MASK = 0xFFFFFFFF


def sfc32(seed: int):
    a, b, c, counter = 0, seed & MASK, seed >> 32, 1
    while True:
        out = (a + b + counter) & MASK
        counter = (counter + 1) & MASK
        a = b ^ (b >> 9)
        b = (c + (c << 3)) & MASK
        c = (((c << 21) & MASK) | (c >> 11)) + out & MASK
        yield out


def draws(seed: int, count: int) -> list[int]:
    stream = sfc32(seed)
    for _ in range(12):
        next(stream)
    return [next(stream) for _ in range(count)]


SEEDS = [0, 1, 2025, 2**32 - 1, 2**32, 2**53 - 1]
print(json.dumps({str(seed): draws(seed, 6) for seed in SEEDS}, indent=1))
