#!/usr/bin/env bash
# Builds the command-line program, compresses the language model in examples/data with it, prints what that lost, and lets
# the compressed model tell a story. Installs the packages it needs where it may (Debian, as root).
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install_packages.sh
cmake --preset release
cmake --build --preset release --target qlr_cli
qlr=build/release/qlr
model=examples/data/stories3m
small=build/stories3m.safetensors
$qlr compress --model $model --self-calibrate 8000 --bits 2.5 --threads "$(nproc)" --output $small
$qlr eval --model $model --compressed $small --self-text 5000 --threads "$(nproc)"
$qlr generate --model $small --prompt "once upon a time" --tokens 200 --seed 4
