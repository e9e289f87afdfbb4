#!/bin/sh
# Every flag on a small layer: the report is that of the stored file, and the type that of the flags.
. "$(dirname "$0")/common.sh"

# check TYPE_FRAGMENT FLAG...: the layer's type holds the fragment; the loss of what is stored is the one reported.
check() {
  fragment=$1
  shift
  accept decompose --weight weight.npy --inputs inputs.npy --iterations 2 --json --save out/layer.safetensors "$@"
  cp stdout report.json
  accept decode out/layer.safetensors --output out/what.npy
  "$helper" check report.json weight.npy inputs.npy out/what.npy || fail "report of: qlr decompose $*"
  accept info out/layer.safetensors
  expect "$fragment"
}

check "Transformed<QplusLR<Quantized<Uniform<2>,PerBlock<1,All>,Log8>,LowRankFactor<Dynamic,Quantized<Uniform<4>,PerBlock<All,1>,Log8>>,LowRankFactor<Dynamic,Quantized<Uniform<4>,PerBlock<1,All>,Log8>>>,Hadamard,Hadamard>"
check "Uniform<2>,PerBlock<All,All>" --group tensor
check "Uniform<3>,PerBlock<All,1>" --q-bits 3 --group column --rank 3
check "Uniform<8>,PerBlock<1,64>" --q-bits 8 --group 64 --rank 1
check "UniformAsymmetric<3>,PerBlock<1,All>,Bf16" --q-bits 3 --grid asymmetric
check "NormalFloat<4>" --q-bits 4 --grid normal-float
check "Ternary<2>" --grid ternary
check "QplusLR<NoQ," --q-bits 0 --rank 5
check "LowRankFactor<Dynamic,Quantized<Uniform<1>" --factor-bits 1
check "LowRankFactor<Dynamic,Quantized<Half" --factor-bits 16
check "Identity,Identity>" --no-rotate
check "Hadamard,Hadamard>" --rotate
check "rank             0" --rank 0
check "rank             40" --rank 40
check "rank             20" --seed 12345 --damping 0.1 --threads 3
check "QplusLR<Quantized<TrellisStep<6,2>,PerBlock<All,1>,Log8>" --grid trellis --q-bits 3 --rank 4
check "QplusLR<Quantized<E8<2>,PerBlock<1,All>,Log8>" --grid e8 --q-bits 2 --rank 4
check "Columns<" --bits 8
check "Columns<" --bits 8 --no-rotate --damping 0.05 --threads 3
check "rank             2" --bits 10 --rank 2
check "Uniform<2>" --bits 8 --q-bits 2
check "rank             0" --bits 6 --q-bits 2 --rank 0
check "TrellisStep<" --bits 12 --grid trellis
check "Uniform<" --bits 12 --group column

# The seed and nothing else decides; any number of threads gives the same bytes.
accept decompose --weight weight.npy --inputs inputs.npy --seed 5 --save out/a.safetensors
accept decompose --weight weight.npy --inputs inputs.npy --seed 5 --threads 2 --save out/b.safetensors
cmp out/a.safetensors out/b.safetensors || fail "expected the same bytes"
accept decompose --weight weight.npy --inputs inputs.npy --seed 6 --save out/b.safetensors
! cmp -s out/a.safetensors out/b.safetensors || fail "expected other bytes of another seed"
accept decompose --weight weight.npy --inputs inputs.npy --bits 8 --seed 5 --save out/a.safetensors
accept decompose --weight weight.npy --inputs inputs.npy --bits 8 --seed 5 --threads 2 --save out/b.safetensors
cmp out/a.safetensors out/b.safetensors || fail "expected the same bytes within a budget"

accept decompose --weight weight.npy --hessian hessian.npy --iterations 1
accept decompose --weight weight.npy --hessian hessian.npy --bits 8 --json
expect '"held_out_loss": null'
accept decompose --weight weight.npy --inputs inputs.npy --bits 8 --json
grep -q '"held_out_loss": 0\.' stdout || fail "expected a loss on inputs held out"
accept decompose --weight fortran.npy --hessian hessian.npy --iterations 1
accept decompose --synthetic 40x24 --iterations 1 --json
expect '"rows": 40'
expect '"cols": 24'
echo "$cases commands"
