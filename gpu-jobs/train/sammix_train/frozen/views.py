"""A small, fixed set of augmented views of a slice, whose embeddings can be kept.

A frozen encoder's embedding cannot be augmented, so each labelled slice has a few views instead of
a fresh one every step. A view depends on the slice and its number alone, so runs share them.
"""

import zlib

import numpy as np
from torch import Tensor

from ..data.augment import augment_geometry, augment_intensity
from ..data.slices import SlicePool


def fixed_view(pool: SlicePool, index: int, number: int) -> tuple[np.ndarray, ...]:
    """View `number` of a slice: weak and strong image and mask, uint8[256, 256].

    View 0 is the slice itself; the others have their geometry changed, the strong ones their grey
    values too.
    """
    image, mask = pool.images[index], pool.masks[index]
    if number == 0:
        return image, image, mask
    rng = np.random.default_rng([zlib.crc32(pool.records[index].slice_id.encode()), number])
    weak, moved = augment_geometry(image[None], mask[None], rng)
    strong = augment_intensity(weak, rng)
    return _grey(weak), _grey(strong), moved[0, 0].numpy().astype(np.uint8)


def _grey(image: Tensor) -> np.ndarray:
    return np.floor(image[0, 0].numpy() * 255 + 0.5).astype(np.uint8)
