"""Masks by rule: the same integer arithmetic as test/core/metrics/rule-masks.ts, so no mask is stored.

A mask is a list of steps applied in order to an empty volume [slices, rows, columns]:
  {"box": [k0, k1, j0, j1, i0, i1]}       set, half-open
  {"clear": [k0, k1, j0, j1, i0, i1]}     unset, half-open
  {"ellipsoid": [k, j, i, rk, rj, ri]}    set where the integer inequality holds
  {"cavity": [k, j, i, rk, rj, ri]}       unset there
  {"noise": [seed, permille]}             flip each voxel whose hash says so
  {"blobs": [seed, count, radius]}        set `count` ellipsoids with hashed centres and radii
  {"shift": [dk, dj, di]}                 move, background comes in
  {"erode": n}                            n times the face-connected cross, outside is background
  {"code": c}                             the 2x2x2 neighbourhood of a code, in the middle
"""

import numpy as np
from scipy import ndimage


def hash32(a, b, c, seed):
    """One 32-bit hash of three integers (xorshift-multiply); arrays or scalars of uint32."""
    with np.errstate(over="ignore"):
        h = (np.uint32(seed) * np.uint32(0x9E3779B1)) ^ np.uint32(0x85EBCA6B)
        for v in (a, b, c):
            h = (h ^ np.asarray(v, np.uint32)) * np.uint32(0x85EBCA6B)
            h = h ^ (h >> np.uint32(13))
            h = h * np.uint32(0xC2B2AE35)
            h = h ^ (h >> np.uint32(16))
        return h


def inside_ellipsoid(shape, p):
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    a, b, c = p[3] ** 2, p[4] ** 2, p[5] ** 2
    return (k - p[0]) ** 2 * b * c + (j - p[1]) ** 2 * a * c + (i - p[2]) ** 2 * a * b <= a * b * c


def shifted(mask, by):
    out = np.zeros_like(mask)
    source, target = [], []
    for n, d in zip(mask.shape, by):
        source.append(slice(max(0, -d), min(n, n - d)))
        target.append(slice(max(0, d), min(n, n + d)))
    out[tuple(target)] = mask[tuple(source)]
    return out


def apply_step(mask, step):
    (name, p), = step.items()
    if name in ("box", "clear"):
        mask[p[0]:p[1], p[2]:p[3], p[4]:p[5]] = name == "box"
    elif name == "ellipsoid":
        mask |= inside_ellipsoid(mask.shape, p)
    elif name == "cavity":
        mask &= ~inside_ellipsoid(mask.shape, p)
    elif name == "noise":
        k, j, i = np.ogrid[: mask.shape[0], : mask.shape[1], : mask.shape[2]]
        mask ^= hash32(k, j, i, p[0]) % np.uint32(1000) < p[1]
    elif name == "blobs":
        seed, count, radius = p
        for n in range(count):
            h = [int(hash32(n, axis, 0, seed)) for axis in range(6)]
            centre = [h[a] % mask.shape[a] for a in range(3)]
            radii = [1 + h[3 + a] % radius for a in range(3)]
            mask |= inside_ellipsoid(mask.shape, centre + radii)
    elif name == "shift":
        mask = shifted(mask, p)
    elif name == "erode":
        mask = ndimage.binary_erosion(mask, iterations=p)
    elif name == "code":
        middle = [n // 2 for n in mask.shape]
        for offset in range(8):
            if p & (128 >> offset):
                d = (offset >> 2 & 1, offset >> 1 & 1, offset & 1)
                mask[tuple(m - 1 + x for m, x in zip(middle, d))] = True
    else:
        raise ValueError(name)
    return mask


def build(shape, steps, start=None):
    mask = np.zeros(shape, bool) if start is None else start.copy()
    for step in steps:
        mask = apply_step(mask, step)
    return mask
