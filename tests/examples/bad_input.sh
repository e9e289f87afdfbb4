#!/bin/sh
# Bad input: a clear sentence and its exit code, and nothing half-written; degenerate input: a defined result.
. "$(dirname "$0")/common.sh"

# try CODE FRAGMENT FLAG...: a decomposition that is refused
try() {
  code=$1
  fragment=$2
  shift 2
  refuse "$code" "$fragment" decompose --iterations 1 --save out/layer.safetensors "$@"
}
# defined FLAG...: one that is not
defined() {
  accept decompose --iterations 1 --save out/defined.safetensors "$@"
  accept decode out/defined.safetensors --output out/defined.npy
  rm out/defined.safetensors out/defined.npy
}

# values
try 1 "weight_nan.npy: expected finite values in the weight, got nan in row 3, column 4" --weight weight_nan.npy --inputs inputs.npy
try 1 "weight_infinite.npy: expected finite values" --weight weight_infinite.npy --inputs inputs.npy
try 1 "inputs_nan.npy: expected finite inputs, got nan in row 59, column 19" --weight weight.npy --inputs inputs_nan.npy
try 1 "inputs_infinite.npy: expected finite inputs, got -inf" --weight weight.npy --inputs inputs_infinite.npy
try 1 "hessian_infinite.npy: expected" --weight weight.npy --hessian hessian_infinite.npy
try 1 "hessian_asymmetric.npy: expected a symmetric Hessian" --weight weight.npy --hessian hessian_asymmetric.npy
try 1 "hessian_negative.npy: expected a positive semidefinite Hessian" --weight weight.npy --hessian hessian_negative.npy

# shapes
try 1 "expected a Hessian of shape [20, 20], got [20, 21]" --weight weight.npy --hessian hessian_wide.npy
try 1 "expected a Hessian of shape [20, 20], got [21, 21]" --weight weight.npy --hessian hessian_large.npy
try 1 "expected inputs of 20 columns, got 19" --weight weight.npy --inputs inputs_narrow.npy
try 1 "expected at least one row of inputs" --weight weight.npy --inputs inputs_none.npy
try 1 "expected at least one row and one column, got shape [0, 20]" --weight weight_no_rows.npy --inputs inputs.npy
try 1 "expected at least one row and one column, got shape [24, 0]" --weight weight_no_columns.npy --inputs inputs.npy
try 1 "expected one or two dimensions" --weight three_dimensions.npy --inputs inputs.npy
try 1 "expected one or two dimensions" --weight weight.npy --inputs three_dimensions.npy

# .npy files
try 1 "truncated.npy: expected 1920 bytes of data" --weight truncated.npy --inputs inputs.npy
try 1 "truncated_header.npy: expected a header of" --weight truncated_header.npy --inputs inputs.npy
try 1 "longer.npy: expected 1920 bytes of data" --weight longer.npy --inputs inputs.npy
try 1 "lying_shape.npy: expected 2016 bytes of data" --weight lying_shape.npy --inputs inputs.npy
try 1 "huge_shape.npy: expected" --weight huge_shape.npy --inputs inputs.npy
try 1 "wrong_magic.npy: expected the six bytes that begin an .npy file" --weight wrong_magic.npy --inputs inputs.npy
try 1 "version_9.npy: expected version" --weight version_9.npy --inputs inputs.npy
try 1 "integers.npy: header: expected a descr" --weight integers.npy --inputs inputs.npy
try 1 "empty.npy: expected" --weight empty.npy --inputs inputs.npy
try 1 "cannot open missing.npy: No such file" --weight missing.npy --inputs inputs.npy
try 1 "cannot open missing.npy: No such file" --weight weight.npy --inputs missing.npy
try 1 "out" --weight out --inputs inputs.npy

# flags
try 2 "--inputs or --hessian" --weight weight.npy
try 2 "--inputs" --inputs inputs.npy
try 2 "excludes" --weight weight.npy --inputs inputs.npy --hessian hessian.npy
try 2 "excludes" --weight weight.npy --inputs inputs.npy --synthetic 8x8
try 2 "excludes" --rotate --no-rotate
try 2 "expected an integer of 0 to" --rank -1
try 2 "expected an integer of 0 to" --rank 1.5
try 2 "expected an integer of 0 to" --q-bits two
try 2 "for --grid uniform one of 2, 3, 4, 8 by tensor; 1, 2, 3, 4, 5, 6, 7, 8 by row;" --q-bits 9
try 2 "got 5 by column" --q-bits 5 --group column
try 2 "for --grid ternary one of 2 by tensor;" --q-bits 3 --grid ternary
try 2 "which stores nothing" --q-bits 0 --rank 0
try 2 "expected --grid to be one of uniform, asymmetric, normal-float, ternary, trellis, e8, got lattice" --grid lattice
try 2 "for --grid trellis one of 1, 2, 3, 4 by column; got 5 by column" --grid trellis --q-bits 5
try 2 "for --grid e8 one of 2, 3, 4 by row; got 2 by column" --grid e8 --q-bits 2 --group column
try 2 "--bits: expected a number above 0, got nan" --bits nan
try 2 "--bits: expected a number above 0, got 0" --bits 0
try 2 "--bits: expected a number above 0, got -1" --bits -1
try 1 "expected at least 0.0078125 bits a weight for a matrix of shape (768,256), got 0.001" --bits 0.001
try 2 "expected --bits to allow for the Q and the rank that were asked for" --bits 1 --q-bits 2
try 2 "expected --group to be one of tensor, row, column, 64, got 0" --group 0
try 2 "expected --factor-bits to be one of 1, 2, 3, 4, 5, 6, 7, 8, 16, got 0" --factor-bits 0
try 2 "got 9" --factor-bits 9
refuse 2 "expected an integer of 1 to" decompose --iterations 0
try 2 "expected an integer of 1 to" --threads 0
try 2 "expected an integer of 0 to" --seed one
try 2 "expected an integer of 0 to" --seed -1
try 2 "expected a number above 0, got 0" --damping 0
try 2 "expected a number above 0, got nan" --damping nan
try 2 "expected MxN" --synthetic 0x5
try 2 "expected MxN" --synthetic 12y7
try 2 "expected MxN" --synthetic 12x7x3
try 2 "--unknown" --unknown
refuse 2 "subcommand" --json
refuse 2 "" compress
refuse 2 "--output" decode out/layer.safetensors

# models
refuse 2 "--model" generate
refuse 1 "cannot open missing.bin" generate --model missing.bin
refuse 1 "weight.npy: expected a llama2.c, GGUF or safetensors file" generate --model weight.npy
refuse 2 "expected a number above 0 to 1, got 0" generate --model weight.npy --top-p 0
refuse 2 "expected a number of 0 to 1000, got nan" generate --model weight.npy --temperature nan
refuse 2 "expected an integer of 0 to" generate --model weight.npy --tokens -1
refuse 2 "expected an integer of 1 to" generate --model weight.npy --threads 0

# outputs
refuse 1 "cannot create a file beside none/layer.safetensors" decompose --save none/layer.safetensors
refuse 1 "cannot write out" decompose --save out
echo kept >out/kept
refuse 1 "expected finite values" decompose --weight weight_nan.npy --inputs inputs.npy --save out/kept
[ "$(cat out/kept)" = kept ] || fail "expected the file that was there"

# degenerate input
defined --weight weight_130.npy --inputs inputs_dead.npy
defined --weight weight_zero.npy --inputs inputs.npy
defined --weight weight.npy --inputs inputs_zero.npy
defined --weight weight_zero.npy --inputs inputs_zero.npy
defined --weight one_weight.npy --inputs one_input.npy
defined --weight one_weight.npy --inputs one_input.npy --rank 3
defined --weight one_row.npy --inputs inputs.npy
defined --weight one_row.npy --inputs inputs.npy --group 64 --no-rotate
defined --weight weight.npy --inputs one_row.npy
defined --weight weight.npy --inputs inputs.npy --rank 0
defined --weight weight.npy --inputs inputs.npy --rank 100
defined --weight weight.npy --inputs inputs.npy --q-bits 0 --rank 100
for weight in one_weight:one_input one_row:inputs weight_zero:inputs weight:inputs_zero weight:one_row \
  weight_zero:inputs_zero weight_130:inputs_dead; do
  defined --weight "${weight%:*}.npy" --inputs "${weight#*:}.npy" --bits 1000
done
defined --weight weight_130.npy --inputs inputs_dead.npy --bits 12
defined --synthetic 1x1
defined --synthetic 7x67 --group 64

# stored layers
accept decompose --weight weight.npy --inputs inputs.npy --iterations 1 --save out/layer.safetensors
spoil() { "$helper" damage out/layer.safetensors "$@" || fail "cannot spoil: $*"; }
spoil truncated.safetensors truncate 10
spoil header_alone.safetensors truncate 1000
spoil other.safetensors replace '"format":"qlr"' '"format":"abc"'
spoil version_2.safetensors replace '"version":"1"' '"version":"2"'
spoil layout.safetensors replace 64-row 32-row
spoil type.safetensors replace 'Uniform<2>' 'Uniform<9>'
spoil grid.safetensors replace 'Uniform<2>' 'Uniform<3>'
spoil dtype.safetensors replace '"dtype":"U8"' '"dtype":"I8"'
spoil name.safetensors replace q.codes q.copes
spoil twice.safetensors replace l.codes r.codes
spoil brace.safetensors replace '{' '['
for command in info "decode --output out/what.npy"; do
  refuse 1 "truncated.safetensors: " $command truncated.safetensors
  refuse 1 "header_alone.safetensors: " $command header_alone.safetensors
  refuse 1 "other.safetensors: expected metadata format" $command other.safetensors
  refuse 1 "version_2.safetensors: expected metadata version" $command version_2.safetensors
  refuse 1 "layout.safetensors: expected metadata layout" $command layout.safetensors
  refuse 1 "type.safetensors: expected a type that this program knows (" $command type.safetensors
  refuse 1 "grid.safetensors: expected q.codes" $command grid.safetensors
  refuse 1 "dtype.safetensors: expected" $command dtype.safetensors
  refuse 1 "name.safetensors: expected" $command name.safetensors
  refuse 1 "twice.safetensors: " $command twice.safetensors
  refuse 1 "brace.safetensors: expected a header that begins with" $command brace.safetensors
  refuse 1 "weight.npy: expected" $command weight.npy
  refuse 1 "cannot open missing.safetensors" $command missing.safetensors
  refuse 1 "out" $command out
done
refuse 1 "cannot create a file beside none/what.npy" decode out/layer.safetensors --output none/what.npy
refuse 1 "cannot write out" decode out/layer.safetensors --output out
echo "$cases commands"
