#!/bin/sh
# A small model of random weights: compressed, measured, continued; by one process, by several, and by killed ones.
. "$(dirname "$0")/common.sh"

"$helper" model model.bin
"$helper" text text.txt
cp "$data/stories3m/tokenizer.bin" tokenizer.bin

# tell ARGUMENT...: the program succeeds; it may say on the standard error stream how far it is.
tell() {
  cases=$((cases + 1))
  "$qlr" "$@" >stdout 2>stderr </dev/null || fail "expected success of: qlr $*"
}

# number KEY: its value in what the last command printed
number() { sed -n "s/.*\"$1\": \([-+.0-9e]*\).*/\1/p" stdout; }

# holds CONDITION: an awk expression
holds() { awk "BEGIN { exit !($1) }" || fail "expected $1"; }

compress="compress --model model.bin --calibration text.txt --bits 4"

tell $compress --output out/one.safetensors --json
cp stdout one.json
holds "$(number bits_per_weight) > 3.9 && $(number bits_per_weight) <= 4"
holds "$(number relative_proxy_loss) > 0 && $(number relative_proxy_loss) < 0.3"
holds "$(number seconds) > 0 && $(number peak_bytes) > 1e6"
[ "$(grep -o '"name":' stdout | wc -l)" -eq 14 ] || fail "expected 14 matrices"
expect '"name": "model.layers.1.mlp.down_proj.weight", "rows": 64, "cols": 96, "bits":'
head -n 1 stderr | grep -q '^measuring model.layers.0.mlp.down_proj' || fail "expected the costliest matrix first"
[ ! -e out/one.safetensors.parts ] || fail "expected no parts of a finished model"

tell eval --model model.bin --compressed out/one.safetensors --text text.txt --json
one_divergence=$(number kl_divergence)
holds "$(number tokens) > 1000 && $(number nats_per_token) > 1 && $(number nats_standard_error) > 0"
holds "$one_divergence > 1e-6 && $one_divergence < 1 && $(number kl_standard_error) > 0"
holds "$(number top1_agreement) > 0.1 && $(number top1_agreement) <= 1"
holds "$(number bits_per_weight) <= 4 && $(number file_bytes) == $(wc -c <out/one.safetensors)"
holds "$(number prompt_tokens_per_second) > 0 && $(number generation_tokens_per_second) > 0"
one_nats=$(number nats_per_token)
tell eval --model model.bin --text text.txt --json
holds "$(number nats_per_token) > 1"
! grep -q kl_divergence stdout || fail "expected no divergence of the original alone"
holds "$one_nats - $(number nats_per_token) < 0.5 && $one_nats - $(number nats_per_token) > -0.5"
tell eval --model model.bin --compressed out/one.safetensors --self-text 300 --json
holds "$(number tokens) > 200 && $(number kl_divergence) > 0"
tell eval --model model.bin --compressed model.bin --text text.txt --json
holds "$(number kl_divergence) < 1e-9 && $(number top1_agreement) == 1"
! grep -q bits_per_weight stdout || fail "expected no bits a weight of a model that is not compressed"
tell eval --model model.bin --compressed out/one.safetensors --text text.txt
expect "original"
expect "compressed"

tell generate --model out/one.safetensors --prompt "a b c" --tokens 12 --seed 3
cp stdout first
tell generate --model out/one.safetensors --prompt "a b c" --tokens 12 --seed 3 --threads 2
cmp first stdout || fail "expected the same text of two threads"

# same COMMENT FILE: it is what one unbroken process made
same() { cmp out/one.safetensors "$2" || fail "expected the same file of $1"; }

tell $compress --output out/threads.safetensors --threads 2
same "two threads" out/threads.safetensors

for shard in 1 2; do
  "$qlr" $compress --output out/shards.safetensors --parts out/parts --shard $shard/3 2>stderr.$shard </dev/null &
done
tell $compress --output out/shards.safetensors --parts out/parts --shard 0/3
wait
same "three processes" out/shards.safetensors
once 28 stderr stderr.1 stderr.2

# launch N COMMAND...: N processes as Open MPI starts them, by it where it is; succeeds if they all do
mpirun="mpirun --allow-run-as-root --oversubscribe"
if $mpirun -n 2 true >stdout 2>stderr; then
  has_mpirun=true
  launch() { $mpirun -n "$@" </dev/null; }
else
  has_mpirun=false
  launch() (
    export OMPI_COMM_WORLD_SIZE="$1"
    shift
    processes=
    for rank in $(seq 0 $((OMPI_COMM_WORLD_SIZE - 1))); do
      OMPI_COMM_WORLD_RANK=$rank "$@" </dev/null &
      processes="$processes $!"
    done
    failed=0
    for process in $processes; do wait "$process" || failed=1; done
    exit $failed
  )
fi
# ./rank SECONDS NAME: one of them, which compresses to out/NAME.safetensors, unless it is killed after so long
cat >rank <<END
#!/bin/sh
exec timeout -s KILL "\$1" "$qlr" $compress --output "out/\$2.safetensors" \
  >stdout.\$OMPI_COMM_WORLD_RANK 2>stderr.\$OMPI_COMM_WORLD_RANK
END
chmod +x rank
# ranks N NAME: N processes make the file
ranks() {
  cases=$((cases + 1))
  launch "$1" ./rank 300 "$2" >stdout 2>stderr || fail "expected success of $1 processes: $(cat stderr.?)"
  same "$1 processes" "out/$2.safetensors"
}

# what processes of that number, and of one that is not there now, had claimed when they died
mkdir out/ranks.safetensors.parts
ln -s 1 out/ranks.safetensors.parts/part-model.layers.0.mlp.down_proj.weight.claim
ln -s 4 out/ranks.safetensors.parts/part-plan%20model.layers.1.mlp.up_proj.weight.claim
ranks 3 ranks
once 28 stderr.0 stderr.1 stderr.2
[ "$(find out/ranks.safetensors.parts -name '*.claim' | wc -l)" -eq 28 ] || fail "expected a claim for each part"
grep -q ' % model.layers.0.mlp.down_proj' stderr.1 || fail "expected what process 1 had claimed"
grep -q '^measuring model.layers.1.mlp.up_proj' stderr.1 || fail "expected what process 4 had claimed of process 1"
for rank in 0 2; do
  grep -q -e '^measuring ' -e ' % ' stderr.$rank || fail "expected work of process $rank of 3"
done
[ -s stdout.0 ] && [ ! -s stdout.1 ] || fail "expected the report of the first process alone"

# all killed at once, again and again; then another number of processes
for delay in 0.1 0.2 0.3 0.4 0.5 0.6; do
  cases=$((cases + 1))
  launch 3 ./rank $delay killed_ranks >stdout 2>stderr && break
done
ranks 2 killed_ranks

# one dies, and mpirun ends the other
if $has_mpirun; then
  launch 1 ./rank 0.2 died : -n 1 ./rank 300 died >stdout 2>stderr &&
    fail "expected mpirun to fail with a process that died"
  ranks 2 died
fi

# killed again and again, each time a little later, until it is done
for delay in 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1; do
  cases=$((cases + 1))
  timeout -s KILL $delay "$qlr" $compress --output out/killed.safetensors >stdout 2>stderr </dev/null && break
  # killed between the last step and the end, it left the whole model
  [ ! -e out/killed.safetensors ] || { same "a run that was killed at its end" out/killed.safetensors; break; }
done
tell $compress --output out/killed.safetensors
same "a run that was killed" out/killed.safetensors

# parts of something else are not taken
mkdir out/other.parts
printf 'something else' >out/other.parts/identity
refuse 1 "expected parts of model" $compress --output out/other.safetensors --parts out/other.parts
rm -r out/other.parts

tell $compress --uniform --output out/uniform.safetensors --json
holds "$(number bits_per_weight) > 3.9 && $(number bits_per_weight) <= 4"
for method in caldera lorc nearest; do
  tell $compress --method $method --uniform --output out/$method.safetensors
  tell eval --model model.bin --compressed out/$method.safetensors --text text.txt --json
  holds "$(number bits_per_weight) <= 4 && $(number kl_divergence) > $one_divergence"
  [ $method != caldera ] || caldera_divergence=$(number kl_divergence)
done
# samples of the model are worth more than another method on the text
tell compress --model model.bin --self-calibrate 600 --bits 4 --output out/self.safetensors
tell eval --model model.bin --compressed out/self.safetensors --text text.txt --json
holds "$(number kl_divergence) < 0.9 * $caldera_divergence"

"$helper" damage model.bin truncated.bin truncate 10
"$helper" damage out/one.safetensors damaged.safetensors replace qlr-model qlr-madel
refuse 1 "truncated.bin: tables of the rotary embedding: expected" compress --model truncated.bin --calibration text.txt --output out/no.safetensors
"$helper" model nan.bin nan
refuse 1 "expected finite predictions" compress --model nan.bin --self-calibrate 100 --output out/no.safetensors
refuse 1 "expected finite predictions" eval --model nan.bin --text text.txt
refuse 1 "cannot open missing.txt" compress --model model.bin --calibration missing.txt --output out/no.safetensors
refuse 1 "cannot create a file beside none/no.safetensors" compress --model model.bin --calibration text.txt \
  --output none/no.safetensors
refuse 2 "expected it or --self-calibrate" compress --model model.bin --output out/no.safetensors
refuse 2 "expected --method to be one of rates, caldera" $compress --method best --output out/no.safetensors
refuse 2 "expected I/N" $compress --shard 3/3 --output out/no.safetensors
refuse 1 "tokenizer" compress --model model.bin --tokenizer text.txt --calibration text.txt --output out/no.safetensors
refuse 1 "damaged.safetensors: expected a Llama model" eval --model model.bin --compressed damaged.safetensors --text text.txt
refuse 1 "expected a text of at least two tokens" eval --model model.bin --text empty.npy
echo "$cases commands"
