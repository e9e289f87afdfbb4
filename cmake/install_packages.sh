#!/usr/bin/env bash
# Installs the Debian packages that building qlr takes, and those named as arguments; what is there is skipped.
# usage: cmake/install_packages.sh [PACKAGE...]
set -euo pipefail

packages=(g++ cmake ninja-build libxsimd-dev libeigen3-dev libcli11-dev doctest-dev libbenchmark-dev "$@")

command -v apt-get >/dev/null || exit 0
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "not installed: ${missing[*]} (as root: apt-get install ${missing[*]})" >&2
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing ${missing[*]}"
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
