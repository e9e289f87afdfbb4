#!/bin/sh
# Matrices of a model that is no Llama model: chosen by name, with recorded inputs, an importance matrix or neither.
. "$(dirname "$0")/common.sh"

mkdir inputs
"$helper" tensors .

# tell ARGUMENT...: the program succeeds; it may say on the standard error stream how far it is.
tell() {
  cases=$((cases + 1))
  "$qlr" "$@" >stdout 2>stderr </dev/null || fail "expected success of: qlr $*"
}

# number KEY: its value in what the last command printed
number() { sed -n "s/.*\"$1\": \([-+.0-9e]*\).*/\1/p" stdout; }

# holds CONDITION: an awk expression
holds() { awk "BEGIN { exit !($1) }" || fail "expected $1"; }

# loss MODEL NAME INPUTS: of a compressed model's matrix, on what it received
loss() {
  accept decode "$1" --matrix "$2" --output decoded.npy
  "$helper" loss tensors.safetensors "$2" "$3" decoded.npy
}

# sum_of_squares MODEL: of the losses of all four matrices
sum_of_squares() {
  for name in encoder.layer.0.query encoder.layer.1.query.weight encoder.layer.1.dense.weight \
    model.layers.2.mlp.up_proj.weight; do
    loss "$1" "${name%.weight}.weight" "inputs/$name.npy" || fail "expected a loss of $name"
  done | awk '{ sum += $1 * $1 } END { if (NR == 4) print sum }'
}

pattern='^(encoder\.layer|model).*weight$'
compress="compress --model tensors.safetensors --bits 3"

tell $compress --matrices "$pattern" --inputs inputs --output out/inputs.safetensors --json
holds "$(number bits_per_weight) > 2.8 && $(number bits_per_weight) <= 3"
[ "$(grep -o '"name":' stdout | wc -l)" -eq 4 ] || fail "expected 4 matrices"
expect '"name": "encoder.layer.1.dense.weight", "rows": 48, "cols": 64, "bits":'
"$helper" others tensors.safetensors out/inputs.safetensors || fail "expected other tensors as they were"
[ ! -e out/inputs.safetensors.parts ] || fail "expected no parts of a finished model"
by_inputs=$(sum_of_squares out/inputs.safetensors)
tell $compress --matrices "$pattern" --importance importance.gguf --output out/importance.safetensors
"$helper" others tensors.safetensors out/importance.safetensors || fail "expected other tensors as they were"
by_importance=$(sum_of_squares out/importance.safetensors)
tell $compress --matrices "$pattern" --output out/none.safetensors
by_none=$(sum_of_squares out/none.safetensors)
echo "sums of squared losses: $by_inputs by inputs, $by_importance by importance, $by_none by none"
holds "0 < $by_inputs && $by_inputs < 0.9 * $by_importance && $by_importance < 0.9 * $by_none && $by_none < 4"

# the report has the loss that the files give
tell $compress --matrices 0.query.weight --inputs inputs --output out/one.safetensors --json
reported=$(number relative_proxy_loss)
one_loss=$(loss out/one.safetensors encoder.layer.0.query.weight inputs/encoder.layer.0.query.npy)
holds "$reported - $one_loss < 1e-4 * $one_loss && $one_loss - $reported < 1e-4 * $one_loss"

# bits: the same for all, or where the loss is; together no more than asked for
tell $compress --matrices "$pattern" --inputs inputs --uniform --output out/uniform.safetensors --json
holds "$(number bits_per_weight) > 2.8 && $(number bits_per_weight) <= 3"
by_uniform=$(sum_of_squares out/uniform.safetensors)
holds "$by_inputs < 0.9 * $by_uniform"
tell $compress --matrices "$pattern" --importance importance.gguf --method ldlq --output out/ldlq.safetensors --json
holds "$(number bits_per_weight) <= 3"

# a matrix that the file has as (inputs, outputs) makes the layer of the other
tell $compress --matrices '^h\.' --transposed --inputs inputs --output out/transposed.safetensors
accept decode out/one.safetensors --matrix encoder.layer.0.query.weight --output one.npy
accept decode out/transposed.safetensors --matrix h.0.c_attn.weight --output transposed.npy
cmp one.npy transposed.npy || fail "expected the layer of the matrix that is not transposed"
accept info out/transposed.safetensors
expect "transposed       true"
expect "  h.0.c_attn.weight  48 x 64  bits "
expect "  encoder.layer.0.query.weight  F32 [48, 64]"
accept info out/inputs.safetensors
[ "$(grep -c ' 48 x 64  bits .*  rank [0-9]*  Transformed<' stdout)" -eq 4 ] || fail "expected 4 layers"
! grep -q transposed stdout || fail "expected nothing transposed"
expect "  position_ids  I64 [1, 5]"
expect "  embeddings.weight  F32 [100, 64]"
! grep -q : stdout || fail "expected no tensors of layers"

# same COMMENT FILE: it is what one unbroken process made
same() { cmp out/inputs.safetensors "$2" || fail "expected the same file of $1"; }

tell $compress --matrices "$pattern" --inputs inputs/ --threads 2 --output out/threads.safetensors
same "two threads" out/threads.safetensors
for shard in 1 2; do
  "$qlr" $compress --matrices "$pattern" --inputs inputs --output out/shards.safetensors --parts out/parts \
    --shard $shard/3 >stdout.$shard 2>stderr.$shard </dev/null &
done
tell $compress --matrices "$pattern" --inputs inputs --output out/shards.safetensors --parts out/parts --shard 0/3
wait
same "three processes" out/shards.safetensors
once 8 stderr stderr.1 stderr.2
[ ! -s stdout.1 ] || fail "expected no report of another shard"
for delay in 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1; do
  cases=$((cases + 1))
  timeout -s KILL $delay "$qlr" $compress --matrices "$pattern" --inputs inputs --output out/killed.safetensors \
    >stdout 2>stderr </dev/null && break
  # killed between the last step and the end, it left the whole model
  [ ! -e out/killed.safetensors ] || { same "a run that was killed at its end" out/killed.safetensors; break; }
done
tell $compress --matrices "$pattern" --inputs inputs --output out/killed.safetensors
same "a run that was killed" out/killed.safetensors
# parts that are there are not made again
rm out/parts/part-encoder.layer.1.dense.weight.safetensors
tell $compress --matrices "$pattern" --inputs inputs --output out/resumed.safetensors --parts out/parts
same "parts that were there" out/resumed.safetensors
[ "$(grep -c '%' stderr)" -eq 1 ] || fail "expected one matrix to be compressed"

# a matrix that llama.cpp saw nothing of counts as zero
tell $compress --matrices 0.query.weight --importance importance_no_counts.gguf --output out/unseen.safetensors --json
expect '"loss": 0}'
holds "$(number bits_per_weight) <= 3"

# try CODE FRAGMENT FLAG...: a compression that is refused
try() {
  code=$1
  fragment=$2
  shift 2
  refuse "$code" "$fragment" compress --bits 3 --output out/no.safetensors "$@"
}
of="--model tensors.safetensors --matrices 0.query.weight"
first=encoder.layer.0.query.weight

# what is chosen
try 2 "ECMAScript regular expression, got (: " --model tensors.safetensors --matrices "("
try 2 "expected --matrices to match the name of a matrix of floats, got nothing, which does not match embeddings.weight" \
  --model tensors.safetensors --matrices nothing
try 2 "expected an expression" --model tensors.safetensors --matrices ""
try 2 "expected --matrices to match" --model tensors.safetensors --matrices 'bias|position|conv'
try 1 "expected a Llama model, or --matrices for another" --model tensors.safetensors --calibration empty.npy
try 1 "expected finite values in unknown.weight, got nan in row 0, column 0" --model tensors_nan.safetensors --matrices unknown
try 2 "expected --method to be one of" $of --method best
for flag in "--calibration text.txt" "--self-calibrate 10" "--tokenizer tokenizer.bin" "--tokens 100"; do
  try 2 "excludes" $of $flag
done
try 2 "--matrices" --model tensors.safetensors --calibration text.txt --inputs inputs
try 2 "--matrices" --model tensors.safetensors --calibration text.txt --importance importance.gguf
try 2 "--matrices" --model tensors.safetensors --calibration text.txt --transposed
try 2 "excludes" $of --inputs inputs --importance importance.gguf
try 2 "expected a path" $of --inputs ""

# inputs
try 1 "expected a file missing/$first.npy or missing/encoder.layer.0.query.npy, got none" $of --inputs missing
try 1 "expected a file inputs/embeddings.weight.npy" --model tensors.safetensors --matrices '.*' --inputs inputs
mkdir bad
cp inputs_narrow.npy bad/$first.npy
try 1 "bad/$first.npy: expected at least one row of 64 columns, got shape [60, 19]" $of --inputs bad
try 1 "inputs/h.0.c_attn.npy: expected at least one row of 48 columns, got shape [400, 64]" --model tensors.safetensors \
  --matrices '^h\.' --inputs inputs
cp truncated.npy bad/$first.npy
try 1 "bad/$first.npy: expected 1920 bytes of data" $of --inputs bad
cp x_nan.npy bad/$first.npy
try 1 "bad/$first.npy: expected finite inputs, got nan" $of --inputs bad

# importance matrices
try 1 "importance.gguf: expected a tensor \"h.0.c_attn.weight.in_sum2\", or under GGUF's name, got none" \
  --model tensors.safetensors --matrices '^h\.' --transposed --importance importance.gguf
try 1 "importance_nan.gguf: tensor \"$first.in_sum2\": expected finite values of 0 or more, got nan" $of \
  --importance importance_nan.gguf
try 1 "expected finite values of 0 or more, got -1" $of --importance importance_negative.gguf
try 1 "tensor \"$first.counts\": expected finite values of 0 or more, got -1" $of --importance importance_negative_counts.gguf
try 1 "tensor \"$first.in_sum2\": expected F32 of 64 elements, got F32 [1, 63]" $of --importance importance_narrow.gguf
try 1 "tensor \"$first.counts\": expected F32 of 1 elements, got F32 [1, 2]" $of --importance importance_many_counts.gguf
"$helper" damage importance.gguf other_type.gguf replace imatrix imatrax
try 1 "other_type.gguf: expected a general.type \"imatrix\", got \"imatrax\"" $of --importance other_type.gguf
"$helper" damage importance.gguf other_name.gguf replace $first.counts $first.founts
try 1 "expected a tensor \"$first.counts\", got none of that name" $of --importance other_name.gguf
"$helper" damage importance.gguf truncated.gguf truncate 100
try 1 "truncated.gguf: tensor" $of --importance truncated.gguf
try 1 "cannot open missing.gguf" $of --importance missing.gguf
try 1 "tensors.safetensors: expected the four letters GGUF" $of --importance tensors.safetensors

# parts of another task
mkdir out/other.parts
printf 'something else' >out/other.parts/identity
refuse 1 "expected parts of model" $compress --matrices 0.query --output out/other.safetensors --parts out/other.parts
rm -r out/other.parts

# models that are looked into
refuse 2 "expected --matrix with a model, got none" decode out/one.safetensors --output out/no.npy
refuse 1 "expected a matrix nothing, got none of that name" decode out/one.safetensors --matrix nothing --output out/no.npy
accept decompose --weight weight.npy --inputs inputs.npy --iterations 1 --save layer.safetensors
refuse 2 "expected --matrix with a model alone" decode layer.safetensors --matrix nothing --output out/no.npy
echo "$cases commands"
