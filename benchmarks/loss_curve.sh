#!/usr/bin/env bash
# Relative proxy loss against bits a weight from 1.5 to 4: uniform, E8 and trellis codes at one rate, and a rate for
# each column; each with L R and without.
#
#   benchmarks/loss_curve.sh [DIR] [OUTPUT]
#
# DIR     folder of matrices, NAME.weight.npy (m,n) with NAME.inputs.npy (tokens,n) or NAME.hessian.npy (n,n)
#         [examples/data]
# OUTPUT  where the results go: OUTPUT.tsv and OUTPUT.md (a table), OUTPUT.svg (a plot), and OUTPUT.runs.tsv, every
#         single run. Runs that are there already are not made again: remove that file after a change
#         [build/loss_curve]
#
# The loss is the geometric mean over the matrices, on what they were calibrated on; bits are the mean of all that is
# stored. Without L R one rate exists only at whole bits; with it, the program takes the widest Q that fits and fills
# the bits up with rank. A cell is "-" where some matrix allows no such layer.
#
# From the environment:
#   QLR                 the program [build/release/qlr, build/qlr or qlr on the path]
#   BITS                what is asked for with L R, and at a rate for each column [1.5 2 2.5 3 3.5 4]
#   WHOLE_BITS          Q's bits at one rate without L R [2 3 4]
#   FORMATS             which of them [uniform e8 trellis rates]
#   THREADS             [1]
#   TRELLIS_ITERATIONS  of a trellis at one rate [the program's own]
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
directory=${1:-$root/examples/data}
output=${2:-$root/build/loss_curve}
bits=${BITS:-1.5 2 2.5 3 3.5 4}
whole_bits=${WHOLE_BITS:-2 3 4}
formats=${FORMATS:-uniform e8 trellis rates}
threads=${THREADS:-1}
trellis_iterations=${TRELLIS_ITERATIONS:+--iterations $TRELLIS_ITERATIONS}

fail() {
  echo "loss_curve.sh: $*" >&2
  exit 1
}

find_program() {
  local candidate
  for candidate in "${QLR:-}" "$root/build/release/qlr" "$root/build/qlr" "$(command -v qlr || true)"; do
    [[ -n $candidate && -x $candidate ]] && echo "$candidate" && return
  done
  fail "expected the program in QLR, $root/build/release or $root/build, found it in none"
}

# The value of a key in the program's report.
value() { sed -n "s/^ *\"$1\": \([^,]*\),*$/\1/p" <<<"$2"; }

# run FORMAT yes|no BITS NAME OPTION...: appends a row to the runs, unless it is there.
run() {
  local format=$1 low_rank=$2 asked=$3 name=$4 report
  shift 4
  grep -q "^$name	$format	$low_rank	$asked	" "$runs" && return
  local -a calibration=(--inputs "$directory/$name.inputs.npy")
  [[ -e $directory/$name.inputs.npy ]] || calibration=(--hessian "$directory/$name.hessian.npy")
  # a layer that the bits do not allow is refused with status 2
  local status=0
  report=$("$program" decompose --weight "$directory/$name.weight.npy" "${calibration[@]}" --threads "$threads" \
    --json "$@" 2>"$errors") || status=$?
  if [[ $status -ne 0 ]]; then
    grep -q "expected --bits to allow" "$errors" || fail "$name, $*: $(cat "$errors")"
    report=
  fi
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$format" "$low_rank" "$asked" \
    "$(value bits_per_weight "${report:-"\"bits_per_weight\": -"}")" \
    "$(value relative_proxy_loss "${report:-"\"relative_proxy_loss\": -"}")" \
    "$(value seconds "${report:-"\"seconds\": -"}")" >>"$runs"
}

program=$(find_program)
names=$(cd "$directory" && ls | sed -n 's/\.weight\.npy$//p')
[[ -n $names ]] || fail "expected files NAME.weight.npy in $directory, found none"
mkdir -p "$(dirname "$output")"
runs=$output.runs.tsv
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
[[ -e $runs ]] || printf 'matrix\tformat\tlow_rank\tasked\tbits\tloss\tseconds\n' >"$runs"

for format in $formats; do
  for name in $names; do
    if [[ $format == rates ]]; then
      for asked in $bits; do
        run rates no "$asked" "$name" --bits "$asked" --rank 0
        run rates yes "$asked" "$name" --bits "$asked"
      done
      continue
    fi
    [[ $format == trellis ]] && more=$trellis_iterations || more=
    for asked in $whole_bits; do
      run "$format" no "$asked" "$name" --q-bits "$asked" --grid "$format" --rank 0 $more
    done
    for asked in $bits; do run "$format" yes "$asked" "$name" --bits "$asked" --grid "$format" $more; done
  done
done

# One row for what all matrices have: geometric mean of the loss, mean of the bits.
count=$(wc -w <<<"$names")
awk -F '\t' -v OFS='\t' -v count="$count" -v names="$names" -v formats="$formats" '
  BEGIN { split(names, list, "\n"); for (k in list) wanted[list[k]] }
  NR > 1 && $1 in wanted && $6 + 0 > 0 {
    key = $2 OFS $3 OFS $4; ++seen[key]; logs[key] += log($6); bits[key] += $5; seconds[key] += $7
  }
  END {
    print "format", "low_rank", "asked", "bits", "loss", "seconds"
    for (key in seen) if (seen[key] == count)
      printf "%s\t%.4f\t%.5f\t%.1f\n", key, bits[key] / count, exp(logs[key] / count), seconds[key]
  }' "$runs" | { read -r header; echo "$header"; sort -t '	' -k1,1 -k2,2 -k3,3n; } >"$output.tsv"

# The table: a row for the bits that were asked for, a column for each format, bits and loss in a cell.
[[ $count -eq 1 ]] && matrices=$names || matrices="geometric mean over $count matrices"
awk -F '\t' -v formats="$formats" -v matrices="$matrices" '
  NR > 1 && index(" " formats " ", " " $1 " ") { cell[$1, $2, $3] = $5 " (" $4 ")"; rows[$3] }
  END {
    columns = split(formats, order, " ")
    name["uniform"] = "uniform"; name["e8"] = "E8"; name["trellis"] = "trellis"; name["rates"] = "rates"
    title["yes"] = "L R"; title["no"] = "no L R"
    head = "| bits asked for |"; rule = "|---|"
    for (c = 1; c <= columns; ++c) for (k = 1; k <= 2; ++k) {
      head = head " " name[order[c]] ", " title[k == 1 ? "no" : "yes"] " |"; rule = rule "---|"
    }
    print "Relative proxy loss, " matrices "; in brackets the bits a weight of all that is stored.\n"
    print head "\n" rule
    for (at = 0; at <= 800; ++at) {
      asked = ""
      for (row in rows) if (row + 0 == at / 100) asked = row
      if (asked == "") continue
      text = "| " asked " |"
      for (c = 1; c <= columns; ++c) for (k = 1; k <= 2; ++k) {
        value = cell[order[c], k == 1 ? "no" : "yes", asked]
        text = text " " (value == "" ? "-" : value) " |"
      }
      print text
    }
  }' "$output.tsv" >"$output.md"

awk -F '\t' -v OFS='\t' 'BEGIN { name["uniform"] = "uniform"; name["e8"] = "E8"; name["trellis"] = "trellis"
                                 name["rates"] = "a rate for each column" }
  NR > 1 { print name[$1], $2 == "no", $4, $5 }' "$output.tsv" |
  awk -f "$here/plot.awk" -v title="Relative proxy loss: $matrices" -v x_label="bits a weight, all that is stored" \
    -v y_label="relative proxy loss" -v dashed_note=", no L R" >"$output.svg"
cat "$output.md"
