#!/usr/bin/env bash
# Times products beside the machine's ceilings and writes a table and a plot.
#
#   benchmarks/product_table.sh [OUTPUT [FLAG...]]
#
# OUTPUT  where the results go: OUTPUT.json (Google Benchmark's), OUTPUT.md (a table), and of 4096 x 4096 and one
#         thread OUTPUT.svg (time of a single vector against the bits of a weight) and, where several batches were
#         timed, OUTPUT_batch.svg
#         [build/products]
# FLAG    for the program, for example --benchmark_filter='/4096x4096/batch:(1|16)/threads:1/'; the ceilings it needs
#         are those that the filter lets through [4096 x 4096, a single vector, one thread]
#
# From the environment:
#   PRODUCT_BENCHMARK  the program [build/release/benchmarks/product_benchmark]
#   REPETITIONS        of every row, all of them interleaved [9]
#   CELLS              what a cell is of them: `median`, or `best`, the least time and the greatest rates, for a machine
#                      that others use too [median]
#   JSON               a file to draw from, instead of a run
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
output=${1:-$root/build/products}
shift $(($# > 0 ? 1 : 0))
program=${PRODUCT_BENCHMARK:-$root/build/release/benchmarks/product_benchmark}
json=${JSON:-$output.json}
mkdir -p "$(dirname "$output")"
if [[ -z ${JSON:-} ]]; then
  if [[ ! -x $program ]]; then
    echo "product_table.sh: expected the program $program, found none" >&2
    exit 1
  fi
  "$program" --benchmark_repetitions="${REPETITIONS:-9}" --benchmark_enable_random_interleaving=true \
    --benchmark_min_time=0.1 --benchmark_report_aggregates_only=true \
    --benchmark_out="$json" --benchmark_out_format=json "$@" >&2
fi

rows=$(mktemp)
trap 'rm -f "$rows"' EXIT

# One line a row: name, shape, batch, threads, place, pages, microseconds, bytes a second, share, bits a weight,
# operations a second, error, spread of the time. A value that a row does not have is 0.
awk -v OFS='\t' -v cells="${CELLS:-median}" '
  function number(key) { return key in field ? field[key] + 0 : 0 }
  function flush_row(  name, parts, count, k, shape, batch, threads, place, pages, time, of) {
    name = field["run_name"]
    sub(/\/real_time$/, "", name)
    time = name ~ /threads:1(\/|$)/ ? "cpu_time" : "real_time"
    of = field["aggregate_name"]
    if (of == "cv") spread[name] = number(time)
    if (of == "min") least[name] = number(time)
    if (name == "" || (field["run_type"] == "aggregate" && of != (cells == "best" ? "max" : "median"))) return
    count = split(name, parts, "/")
    shape = "-"; batch = 0; threads = 1; place = "-"; pages = "2 MiB"
    for (k = 2; k <= count; ++k) {
      if (parts[k] ~ /^[0-9]+x[0-9]+$/) shape = parts[k]
      else if (parts[k] ~ /^batch:/) batch = substr(parts[k], 7)
      else if (parts[k] ~ /^threads:/) threads = substr(parts[k], 9)
      else place = parts[k]
    }
    if (sub(/_4KiB$/, "", place)) pages = "4 KiB"
    order[++rows] = name
    microseconds[name] = number(time)
    line[name] = parts[1] OFS shape OFS batch OFS threads OFS place OFS pages
    counters[name] = number("bytes_per_second") OFS number("share") OFS number("bits_per_weight") OFS \
      number("op/s") OFS number("error")
  }
  # a row of the JSON, or its end
  /^    \{/ { split("", field) }
  /^      "/ {
    key = $0; sub(/^ *"/, "", key); sub(/":.*/, "", key)
    value = $0; sub(/^[^:]*: */, "", value); sub(/,$/, "", value); gsub(/"/, "", value)
    if (key == "run_name") { value = $0; sub(/^ *"run_name": "/, "", value); sub(/",?$/, "", value) }
    field[key] = value
  }
  /^    \}/ { flush_row() }
  END {
    # ceilings and peers apart; the run has the rows in random order
    for (k = 1; k <= rows; ++k) {
      name = order[k]
      time = cells == "best" && name in least ? least[name] : microseconds[name]
      print line[name], time, counters[name], (name in spread ? spread[name] : 0), name ~ /^(ggml|eigen)/
    }
  }' "$json" | sort -t '	' -k2,2r -k3,3n -k4,4n -k6,6 -k14,14n -k1,1 -k5,5 >"$rows"

cpu=$(awk -F ': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
isa=$(sed -n 's/^ *"instruction_set": "\(.*\)",*$/\1/p' "$json")
cells="Medians of the repetitions"
[[ ${CELLS:-median} == best ]] && cells="The best of the repetitions"
awk -F '\t' -v title="$cpu, $isa" -v cells="$cells" '
  # The best shares are chance, since reading may have been disturbed where the product was not.
  function share_of(key, place, read) {
    if (!best_cells) return sprintf("%.2f", value[key, place, "share"])
    return read > 0 ? sprintf("%.2f", value[key, place, "bytes"] / read) : "-"
  }
  function short(microseconds) { return sprintf(microseconds < 1000 ? "%.1f" : "%.0f", microseconds) }
  $1 == "read" || $1 ~ /^int8/ {
    what = $1 == "read" ? sprintf("%s %.1f GB/s", $5, $8 * 1e-9) : sprintf("%s %.0f GOP/s", $1, $11 * 1e-9)
    if ($1 == "int8_peak") peak[$4] = $11 * 1e-9
    if ($1 == "read") reading[$5 == "l3" ? "resident" : $5, $4, $6] = $8 * 1e-9
    if ($6 == "4 KiB") what = what " (4 KiB pages)"
    ceilings[$4] = ceilings[$4] (ceilings[$4] == "" ? "" : ", ") what
    next
  }
  {
    section = $2 "\t" $3 "\t" $4 "\t" $6
    if (!(section in names)) sections[++section_count] = section
    key = section "\t" $1
    if (!(key in bits)) names[section] = names[section] (names[section] == "" ? "" : "\n") $1
    bits[key] = $10; error[key] = $12
    value[key, $5, "us"] = $7; value[key, $5, "bytes"] = $8 * 1e-9; value[key, $5, "share"] = $9
    value[key, $5, "ops"] = $11 * 1e-9; value[key, $5, "spread"] = 100 * $13
  }
  END {
    best_cells = cells ~ /^The best/
    print title ". " cells "; in brackets their standard deviation.\n"
    for (threads = 1; threads <= 2; ++threads) if (threads in ceilings)
      print "Ceilings, " threads (threads == 1 ? " thread: " : " threads: ") ceilings[threads] ".\n"
    for (s = 1; s <= section_count; ++s) {
      split(sections[s], part, "\t"); sub(/x/, " x ", part[1])
      printf "%s, batch %s, %s thread%s, pages of %s:\n\n", part[1], part[2], part[3], part[3] == 1 ? "" : "s", part[4]
      printf "| row | bits a weight | DRAM, us | GB/s | share | resident, us | GB/s | share "
      print "| GOP/s | of int8 peak | output error |"
      print "|---|---|---|---|---|---|---|---|---|---|---|"
      count = split(names[sections[s]], list, "\n")
      for (k = 1; k <= count; ++k) {
        key = sections[s] "\t" list[k]
        best = (key, "resident", "ops") in value ? "resident" : "dram"
        printf "| %s | %.2f |", list[k], bits[key]
        for (p = 1; p <= 2; ++p) {
          place = p == 1 ? "dram" : "resident"
          if ((key, place, "us") in value)
            printf " %s (%.0f %%) | %.3g | %s |", short(value[key, place, "us"]), value[key, place, "spread"],
              value[key, place, "bytes"], share_of(key, place, reading[place, part[3], part[4]])
          else
            printf " - | - | - |"
        }
        printf " %.0f | %s | %.2g %% |\n", value[key, best, "ops"],
          part[3] in peak ? sprintf("%.2f", value[key, best, "ops"] / peak[part[3]]) : "-", 100 * error[key]
      }
      print ""
    }
  }' "$rows" >"$output.md"

# Lines of the plots: a family is what a name has before its number.
family='
  function family(name) {
    if (name ~ /^ggml/) return "ggml"
    sub(/-.*$/, "", name)
    if (name != "e8") sub(/[0-9]+$/, "", name)
    return name
  }'
# draw PLOT LABEL...: the lines of the standard input, if there are any.
draw() {
  local lines=$rows.lines plot=$1
  shift
  cat >"$lines"
  [[ ! -s $lines ]] || awk -f "$here/plot.awk" "$@" "$lines" >"$plot"
  rm -f "$lines"
}

awk -F '\t' -v OFS='\t' "$family"'
  $2 == "4096x4096" && $3 == 1 && $4 == 1 && $6 == "2 MiB" && $1 !~ /rank|floats|eigen/ {
    print family($1), $5 == "resident", $10, $7
  }' "$rows" | sort -t '	' -k1,1 -k2,2 -k3,3n |
  draw "$output.svg" -v title="A product of a single vector, one thread" -v x_label="bits a weight" \
    -v y_label="microseconds" -v dashed_note=", resident"
if [[ $(awk -F '\t' '$3 > 0 { print $3 }' "$rows" | sort -u | wc -l) -gt 1 ]]; then
  awk -F '\t' -v OFS='\t' '
    $2 == "4096x4096" && $4 == 1 && $6 == "2 MiB" && $5 == "dram" {
      print $1, $1 ~ /^(ggml|eigen)/, $3, $11 * 1e-9
    }' "$rows" | sort -t '	' -s -k2,2 -k1,1 -k3,3n |
    draw "${output}_batch.svg" -v log_x=1 -v title="Products of several vectors, one thread, from DRAM" \
      -v x_label="vectors at once" -v y_label="operations per second, 1e9"
fi
cat "$output.md"
