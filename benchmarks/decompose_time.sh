#!/usr/bin/env bash
# How the time and the memory of compressing a layer grow with its size: a table and a plot from decompose_benchmark.
#
#   benchmarks/decompose_time.sh [OUTPUT [SIZE...]]
#
# OUTPUT  where the results go: OUTPUT.tsv, OUTPUT.md (a table) and OUTPUT.svg (a plot) [build/decompose_time]
# SIZE    of square layers, for a single thread at 2.5 bits [512 1024 2048 4096; the last takes minutes]
#
# DECOMPOSE_BENCHMARK in the environment is the program [build/release/benchmarks/decompose_benchmark, made by
# cmake --build --preset release --target decompose_benchmark]. Times depend on the machine and on what else it does: read
# them as ratios.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
output=${1:-$root/build/decompose_time}
shift $(($# > 0 ? 1 : 0))
[[ $# -gt 0 ]] || set -- 512 1024 2048 4096
program=${DECOMPOSE_BENCHMARK:-$root/build/release/benchmarks/decompose_benchmark}
if [[ ! -x $program ]]; then
  echo "decompose_time.sh: expected the program $program, found none" >&2
  exit 1
fi
mkdir -p "$(dirname "$output")"
"$program" "$@" >"$output.tsv"

# The growth beside each row: the exponent of the size by which the seconds have grown since the row before.
awk -F '\t' '
  NR == 1 {
    print "One thread, `--bits 2.5`, a square layer with twice as many rows of inputs as columns.\n"
    print "| size | seconds | grows as | stages, seconds | peak memory, MB | in copies of W as doubles |"
    print "|---|---|---|---|---|---|"
    next
  }
  {
    growth = seconds > 0 ? sprintf("n^%.2f", log($3 / seconds) / log($1 / size)) : "-"
    seconds = $3; size = $1
    printf "| %s x %s | %s | %s | %s | %s | %.1f |\n", $1, $1, $3, growth, $4, $7, 1e6 * $7 / (8 * $1 * $1)
  }' "$output.tsv" >"$output.md"

# Lines: the sum, and each stage.
awk -F '\t' -v OFS='\t' '
  NR > 1 {
    print "all", 0, $1, $3
    count = split($4, stages, ", ")
    for (k = 1; k <= count; ++k) { split(stages[k], stage, " "); print stage[1], 1, $1, stage[2] }
  }' "$output.tsv" |
  awk -f "$here/plot.awk" -v log_x=1 -v title="Seconds to compress a layer at 2.5 bits, one thread" \
    -v x_label="size of the square layer" -v y_label="seconds" >"$output.svg"
cat "$output.md"
