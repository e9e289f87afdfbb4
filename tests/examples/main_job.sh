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

accept --version
accept --help
accept decompose --help
expect "--factor-bits"
echo "$cases commands"
