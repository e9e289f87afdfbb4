#!/usr/bin/env bash
# What a language model loses by each method at several bits: a table from qlr compress and qlr eval.
#
#   benchmarks/model_table.sh MODEL CALIBRATION TEXT [OUTPUT]
#
# MODEL        as qlr compress takes it, CALIBRATION and TEXT text files, the latter unseen
# OUTPUT       OUTPUT.tsv, a row for each run, OUTPUT.md, a table, and OUTPUT.svg, perplexity against bits
#              [build/model_table]
#
# From the environment:
#   QLR      the program [build/release/qlr]
#   BITS     ["2.1 2.5 3 4"]
#   METHODS  [rates e8 ldlq caldera lorc nearest]
#   TOKENS   of TEXT, at most [40000]
# Runs that OUTPUT.tsv has already are not repeated. A method that cannot be that small has no row.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
if [[ $# -lt 3 ]]; then
  echo "model_table.sh: expected MODEL CALIBRATION TEXT [OUTPUT], got $# arguments" >&2
  exit 1
fi
model=$1
calibration=$2
text=$3
output=${4:-$root/build/model_table}
qlr=${QLR:-$root/build/release/qlr}
mkdir -p "$(dirname "$output")"
touch "$output.tsv"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

number() { sed -n "s/.*\"$1\": \([-+.0-9e]*\).*/\1/p" "$2"; }

for bits in ${BITS:-2.1 2.5 3 4}; do
  for method in ${METHODS:-rates e8 ldlq caldera lorc nearest}; do
    if grep -q "^$bits	$method	" "$output.tsv"; then continue; fi
    rm -rf "$work"/model*
    "$qlr" compress --model "$model" --calibration "$calibration" --bits "$bits" --method "$method" \
      --output "$work/model.safetensors" --json >"$work/compress.json" 2>"$work/log" || {
      tail -n 1 "$work/log" >&2
      continue
    }
    "$qlr" eval --model "$model" --compressed "$work/model.safetensors" --text "$text" --tokens "${TOKENS:-40000}" \
      --json >"$work/eval.json"
    printf '%s\t%s' "$bits" "$method" >>"$output.tsv"
    for key in bits_per_weight kl_divergence kl_standard_error nats_per_token top1_agreement file_bytes; do
      printf '\t%s' "$(number $key "$work/eval.json")" >>"$output.tsv"
    done
    printf '\t%s\n' "$(number seconds "$work/compress.json")" >>"$output.tsv"
  done
done

awk -F '\t' '
  BEGIN {
    print "| asked | method | bits a weight | divergence, nats | nats a token | same top token | file, MB | seconds |"
    print "|---|---|---|---|---|---|---|---|"
  }
  {
    printf "| %s | %s | %.4f | %.5f +- %.5f | %.4f | %.2f %% | %.3f | %.0f |\n",
      $1, $2, $3, $4, $5, $6, 100 * $7, 1e-6 * $8, $9
  }' "$output.tsv" >"$output.md"

{
  sort -t '	' -k2,2 -k3,3n "$output.tsv" | awk -F '\t' -v OFS='\t' '{ print $2, 0, $3, exp($6) }'
  "$qlr" eval --model "$model" --text "$text" --tokens "${TOKENS:-40000}" --json >"$work/eval.json"
  awk -F '\t' -v OFS='\t' -v nats="$(number nats_per_token "$work/eval.json")" '
    { least = NR == 1 || $3 < least ? $3 : least; most = $3 > most ? $3 : most }
    END { print "original", 1, least, exp(nats); print "original", 1, most, exp(nats) }' "$output.tsv"
} >"$work/lines"
awk -f "$root/benchmarks/plot.awk" -v title="Perplexity against bits" -v x_label="bits a weight" \
  -v y_label="perplexity" "$work/lines" >"$output.svg"
