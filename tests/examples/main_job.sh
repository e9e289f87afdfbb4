#!/bin/sh
# The program without any file given, and its report held against the files.
. "$(dirname "$0")/common.sh"

accept decompose
expect "768 x 256"
expect "relative proxy loss"
expect "product y = What x"

accept decompose --json --save out/layer.safetensors
cp stdout report.json
accept decode out/layer.safetensors --output out/what.npy
"$helper" check report.json "$data/block2.ffn.gate.weight.npy" "$data/block2.ffn.gate.inputs.npy" out/what.npy || exit 1

accept info out/layer.safetensors
expect "Transformed<QplusLR<Quantized<Uniform<2>,PerBlock<1,All>,Log8>"
expect "q.codes"

# within a budget
accept decompose --bits 2.5 --json --save out/budget.safetensors
grep -q '"held_out_loss": 0\.' stdout || fail "expected a loss on inputs held out"
cp stdout report.json
accept decode out/budget.safetensors --output out/what.npy
"$helper" check report.json "$data/block2.ffn.gate.weight.npy" "$data/block2.ffn.gate.inputs.npy" out/what.npy || exit 1
accept info out/budget.safetensors
expect "Columns<"
bits=$(sed -n 's/.*"bits_per_weight": \([0-9.]*\).*/\1/p' report.json)
awk "BEGIN { exit !($bits > 2.3 && $bits <= 2.5) }" || fail "expected nearly 2.5 bits a weight, got $bits"

accept --version
accept --help
accept decompose --help
expect "--factor-bits"
echo "$cases commands"
