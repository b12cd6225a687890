#!/bin/bash
# The published age files through the real path: the stated identity imported and split, then `halfkey decrypt`.
# VECTORS says where they are; without them one small file of our own making is tried.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$PWD/${BUILD:-build}; VECTORS=${VECTORS:-../shared/vectors}
DIR=$(mktemp -d); export HALFKEY_HOME=$DIR/home PATH="$BIN:$PATH"
passed=0; failed=0; service=
clean_up() { halfkey agent --stop >/dev/null 2>&1; [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null; rm -rf "$DIR"; }
trap clean_up EXIT
result() { if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $2"; fi; }
halfkeyd --data "$DIR/service" --listen tcp://127.0.0.1:0 >"$DIR/ready" 2>"$DIR/log" &
service=$!
for _ in $(seq 100); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.05; done
halfkey init --service "$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")" --device vectors --no-passphrase >/dev/null 2>&1
result $? "init"

field() { sed -n "/^\$/q;s/^$2: //p" "$1" | head -n 1; }
# The file behind the empty line, inflated where its header says so. A gzip head makes gzip read what zlib wrote.
body() {
    local from; from=$(($(grep -a -n -m 1 '^$' "$1" | cut -d: -f1) + 1))
    if [ "$(field "$1" compressed)" = zlib ]; then
        { printf '\x1f\x8b\x08\0\0\0\0\0\0\0'; tail -n "+$from" "$1" | tail -c +3; } | gzip -dc 2>/dev/null
    else tail -n "+$from" "$1"; fi
}
known=
import() { # IDENTITY
    case " $known " in *" $1 "*) return;; esac
    known="$known $1"
    echo "$1" | halfkey key import "key$(echo "$known" | wc -w)" --format age-identity - >/dev/null 2>&1
    result $? "import of $1"
}
try() { # FILE
    local expect payload got sum
    expect=$(field "$1" expect); payload=$(field "$1" payload)
    import "$(field "$1" identity)"
    body "$1" >"$DIR/file"
    got=$(halfkey decrypt --json -o "$DIR/out" "$DIR/file" 2>/dev/null | jq -r .outcome 2>/dev/null)
    [ -n "$got" ] || got=success
    if [ -e "$DIR/out" ] && [ "$got" != success ]; then got="$got, and left its output"; fi
    [ "$got" = "$expect" ]; result $? "$(basename "$1"): expected '$expect', got '$got'"
    if [ -n "$payload" ]; then # what may be released, on standard output too
        sum=$(halfkey decrypt "$DIR/file" 2>/dev/null | sha256sum | cut -d' ' -f1)
        [ "$sum" = "$payload" ]; result $? "$(basename "$1"): released something else"
    fi
    rm -f "$DIR/out"
}
if [ -d "$VECTORS/age" ]; then for f in "$VECTORS"/age/*; do try "$f"; done; fi

# A file of our own: stock age to an imported stock identity.
age-keygen -o "$DIR/stock" 2>/dev/null
import "$(grep '^AGE-SECRET-KEY' "$DIR/stock")"
echo text >"$DIR/plain"; age -r "$(age-keygen -y "$DIR/stock")" -o "$DIR/file" "$DIR/plain"
[ "$(halfkey decrypt "$DIR/file")" = text ]; result $? "stock file to an imported identity"

# Twenty recipients cost one request.
halfkey key create mine --suite x25519 >/dev/null 2>&1
recipients=(); for _ in $(seq 19); do age-keygen -o "$DIR/k" 2>/dev/null; recipients+=(-r "$(age-keygen -y "$DIR/k")"); rm "$DIR/k"; done
age "${recipients[@]}" -r "$(halfkey key export mine --format age)" -o "$DIR/file" "$DIR/plain"
before=$(halfkey log | grep -c ' agree ')
[ "$(halfkey decrypt --key mine "$DIR/file")" = text ]; result $? "twenty recipients"
halfkey log --verify >/dev/null; after=$(halfkey log --count 400 2>/dev/null | grep -c ' agree '); all=$(halfkey log | grep -c ' agree ')
last=$(halfkey log | grep ' agree ' | tail -n 1)
case "$last" in *x20*) result 0;; *) result 1 "twenty recipients made this leaf: $last (before $before, after $after, $all)";; esac
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
