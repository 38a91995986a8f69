#!/bin/sh
# Fails where a library in the given folders needs one that is not there, and names it. The driver's own are
# left out: the host brings them.
#
#   sh check-libraries.sh FOLDER...     searched in LD_LIBRARY_PATH, as the job searches
set -eu
missing=$(
  find "$@" \( -name '*.so' -o -name '*.so.*' -o -name '*.node' \) -type f | while read -r library; do
    ldd "$library" 2>&1 | grep 'not found' | grep -v -e 'libcuda\.so\.1' -e 'libnvidia-' |
      sed "s|^|$library needs|" || true
  done
)
[ -z "$missing" ] && exit 0
echo "$missing" >&2
exit 1
