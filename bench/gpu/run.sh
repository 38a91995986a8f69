#!/bin/sh
# On a machine with an NVIDIA GPU (driver 580 or newer), Node and Python: the inference of the segment job on CUDA,
# with the libraries of its image, beside the CPU. Without Docker; nothing is installed outside OUT.
#
#   sh bench/gpu/run.sh OUT      writes OUT/gpu.json: seconds and the voxels in which the masks differ
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?'usage: sh bench/gpu/run.sh OUT'}
mkdir -p "$out/lib" && out=$(cd "$out" && pwd)
cd "$root"

[ -d "$out/wheels" ] || python3 -m pip install -q --no-deps --only-binary=:all: --require-hashes \
  --python-version 3.12 --implementation cp --abi cp312 --abi none --platform manylinux_2_28_x86_64 \
  --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 --target "$out/wheels" -r gpu-jobs/infer/cuda.txt
find "$out/wheels/nvidia" -name '*.so*' -exec ln -f {} "$out/lib/" \;

# The provider stands beside the library of the package: in a copy, so that the checkout keeps its own.
mkdir -p "$out/app/node_modules"
cp -R node_modules/onnxruntime-node node_modules/onnxruntime-common "$out/app/node_modules/"
beside="$out/app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64"
cp "$out/wheels/onnxruntime/capi/libonnxruntime_providers_shared.so" \
   "$out/wheels/onnxruntime/capi/libonnxruntime_providers_cuda.so" "$beside/"
node_modules/.bin/esbuild bench/gpu/compare.ts --bundle --platform=node --format=esm --external:onnxruntime-node \
  --banner:js="import{createRequire as r}from'node:module';const require=r(import.meta.url);" \
  --outfile="$out/app/compare.mjs" --log-level=error

export LD_LIBRARY_PATH="$out/lib" ORT_DISABLE_TELEMETRY=1
sh gpu-jobs/infer/check-libraries.sh "$out/lib" "$beside"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || true
node "$out/app/compare.mjs" "$root/bundle" "$out"
