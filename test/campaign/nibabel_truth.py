"""What the reader accepted, read by nibabel: shape and affine must agree.

Known differences, counted and not failed: files that nibabel refuses (broken extension chains, offsets),
and forms with codes outside 0 to 5, which nibabel takes for unset.
"""

import gzip
import json
import struct
import sys

import nibabel
import numpy


def form_codes(file):
    """As stored: nibabel resets what it does not know when it loads."""
    with (gzip.open if file.endswith(".gz") else open)(file, "rb") as stream:
        start = stream.read(540)
    little = struct.unpack("<i", start[:4])[0] in (348, 540)
    first = struct.unpack(("<" if little else ">") + "i", start[:4])[0]
    order, at = ("<" if little else ">"), (252 if first == 348 else 344)
    return struct.unpack_from(order + ("hh" if first == 348 else "ii"), start, at)


refused = codes = differ = 0
entries = json.load(open(sys.argv[1]))
for entry in entries:
    try:
        image = nibabel.load(entry["file"])
    except Exception:
        refused += 1
        continue
    if not all(0 <= code <= 5 for code in form_codes(entry["file"])):
        codes += 1
        continue
    shape = list(image.shape[:3])
    affine = numpy.array(entry["affine"], dtype=float)
    scale = numpy.abs(affine).max()
    if shape != list(entry["shape"]) or not numpy.allclose(image.affine, affine, atol=1e-4 * scale):
        differ += 1
        print("DIFFERS", entry["file"], shape, entry["shape"], image.affine.tolist(), entry["affine"])
print(f"nibabel: {len(entries)} files, {refused} refused by it, {codes} with unknown form codes, {differ} differ")
sys.exit(1 if differ else 0)
