# Sourced with the arguments PROGRAM HELPER WORK DATA of the scripts beside this file.
qlr=$1
helper=$2
work=$3
data=$4
rm -rf "$work"
mkdir -p "$work/out"
"$helper" write "$work"
cd "$work" || exit 1
cases=0

fail() {
  echo "$*" >&2
  echo "standard output:" >&2
  cat stdout >&2
  echo "standard error:" >&2
  cat stderr >&2
  exit 1
}

# accept ARGUMENT...: the program succeeds and says nothing on the standard error stream.
accept() {
  cases=$((cases + 1))
  "$qlr" "$@" >stdout 2>stderr </dev/null || fail "expected success of: qlr $*"
  [ ! -s stderr ] || fail "expected silence of: qlr $*"
}

# refuse CODE FRAGMENT ARGUMENT...: the program fails with the code and one line that holds the fragment; it says nothing
# else, and out/ stays as it was.
refuse() {
  cases=$((cases + 1))
  code=$1
  fragment=$2
  shift 2
  before=$(ls -A out)
  "$qlr" "$@" >stdout 2>stderr </dev/null
  got=$?
  [ $got -eq "$code" ] || fail "expected exit code $code, got $got, of: qlr $*"
  [ ! -s stdout ] || fail "expected nothing on standard output of: qlr $*"
  [ "$(wc -l <stderr)" -eq 1 ] || fail "expected one line of: qlr $*"
  grep -qF -e "$fragment" stderr || fail "expected '$fragment' of: qlr $*"
  [ "$(ls -A out)" = "$before" ] || fail "expected no new file of: qlr $*"
}

# once COUNT LOG...: by these standard error streams of qlr compress, COUNT parts were made, and none twice.
once() {
  count=$1
  shift
  sed -n 's/^measuring /plan /p; s/^ *[0-9]* % \([^,]*\).*/\1/p' "$@" | sort >made
  [ -z "$(uniq -d made)" ] || fail "expected nothing to be made twice, got $(uniq -d made)"
  [ "$(wc -l <made)" -eq "$count" ] || fail "expected $count parts, got $(wc -l <made) in $*"
}

# expect FRAGMENT: it is in what the last command printed.
expect() { grep -qF -e "$1" stdout || fail "expected '$1'"; }
