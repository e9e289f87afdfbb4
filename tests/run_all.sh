#!/usr/bin/env bash
# Builds and runs all tests. Installs the packages it needs where it may (Debian, as root).
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install_packages.sh
cmake --preset release -DQLR_BUILD_BENCHMARKS=OFF
cmake --build --preset release
ctest --preset release -j "$(nproc)"
