#!/usr/bin/env bash
# What a machine with a GPU can do, in ten minutes: steps of each family by each backend and in loops of
# PyTorch's, in float32 and bfloat16, how they grow, and two trainings by the command.
#
#     pip install -e ".[test]" torch "jax[cuda12]"
#     bash tests/benchmarks/gpu.sh | tee gpu.txt
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export KERAS_BACKEND=jax PYTHONUNBUFFERED=1

run() { # seconds at most, then a command
    echo
    echo "+ ${*:2}"
    timeout "$@" 2>> "$out/messages" || echo "(stopped after $SECONDS s in all, or failed: status $?)"
}

run 30 keras-imgen doctor
run 150 python tests/benchmarks/speed.py loops --turns 3
run 120 python tests/benchmarks/speed.py loops --turns 3 --policy mixed_bfloat16
run 90 python tests/benchmarks/speed.py growth --turns 3 --only gan dncnn
run 90 keras-imgen train gan --epochs 40 --out "$out/gan"
run 120 keras-imgen train diffusion --epochs 60 --precision auto --out "$out/diffusion"
echo
echo "$SECONDS s"
tail -n 20 "$out/messages"
