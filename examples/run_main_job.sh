#!/usr/bin/env bash
# Builds the command-line program and compresses the real layer in examples/data with it.
# Installs the packages it needs where it may (Debian, as root).
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install_packages.sh
cmake --preset release
cmake --build --preset release --target qlr_cli
build/release/qlr decompose
