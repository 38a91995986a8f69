"""The frames of a DICOM-SEG as highdicom reads them: `python segmentation_frames.py FILE`.

Prints JSON: for each frame the SOP Instance UID of its image and the SHA-256 of its voxels, 0 or 1 in bytes.
"""

import hashlib
import json
import sys

import highdicom as hd
import numpy as np


def main(file):
    seg = hd.seg.segread(file)
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns).astype(np.uint8)
    found = []
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        found.append([source.ReferencedSOPInstanceUID, hashlib.sha256(frame.tobytes()).hexdigest()])
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
