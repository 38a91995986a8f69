"""A DICOM series to one uncompressed NIfTI file by dcm2niix: `python dcm2niix.py SERIES OUT`; prints its CPU seconds."""

import json
import resource
import subprocess
import sys
from pathlib import Path


def main(series, out):
    tool = Path(sys.executable).parent / "dcm2niix"
    command = [tool, "-b", "n", "-z", "n", "-w", "1", "-f", "series", "-o", out, series]
    subprocess.run(command, check=True, stdout=sys.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
    print(json.dumps({"seconds": main(sys.argv[1], sys.argv[2]), "peakMiB": 0}))
