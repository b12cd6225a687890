#!/bin/bash
# A second device: approved only on the same words, from the same code only once. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-two-devices.XXXXXX)
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY
passed=0; failed=0; service=; joining=
laptop() { HALFKEY_HOME=$DIR/laptop halfkey "$@"; }
phone() { HALFKEY_HOME=$DIR/phone halfkey "$@"; }
clean_up() {
    laptop agent --stop >/dev/null 2>&1; phone agent --stop >/dev/null 2>&1
    [ -z "$joining" ] || kill "$joining" 2>/dev/null
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
says() { # WHAT STATUS: prints and counts
    if [ "$2" = 0 ]; then passed=$((passed + 1)); echo "ok    $1"
    else failed=$((failed + 1)); echo "FAIL  $1"; tail -n 5 "$DIR/out" "$DIR/err" "$DIR/join.err"; fi
}
# Invites and lets the phone join; its six words in $words.
invite_and_join() {
    laptop device invite >"$DIR/invite" 2>"$DIR/err" || return 1
    code=$(grep -o 'halfkey-join:[^ ]*' "$DIR/invite" | head -n 1)
    phone device join "$code" --device phone --no-passphrase >"$DIR/join" 2>"$DIR/join.err" &
    joining=$!; words=
    for _ in $(seq 400); do words=$(sed -n 's/^words: *//p' "$DIR/join"); [ -n "$words" ] && return 0; sleep 0.05; done
    return 1
}
: >"$DIR/join.err"
halfkeyd --data "$DIR/service" --listen tcp://127.0.0.1:0 >"$DIR/ready" 2>"$DIR/service.log" &
service=$!
for _ in $(seq 200); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.05; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
laptop init --service "$address" --device laptop --no-passphrase >"$DIR/out" 2>"$DIR/err"; says "init" $?

invite_and_join; says "the phone shows six words" $?
[ "$(echo "$words" | wc -w)" = 6 ]; says "they are six" $?
other=$(echo "$words" | awk '{ t = $1; $1 = $2; $2 = t; print }')
[ "$other" != "$words" ] || other="$words x"
laptop device approve --words "$other" >"$DIR/out" 2>"$DIR/err"; [ $? = 1 ]; says "other words are refused" $?
grep -q "not the same words" "$DIR/err"; says "and it says why" $?
wait "$joining"; [ $? != 0 ]; says "the phone is told" $?
laptop device list 2>/dev/null | grep -q phone; [ $? != 0 ]; says "and nothing is enrolled" $?
phone device join "$code" --device phone --no-passphrase >"$DIR/join" 2>"$DIR/join.err"; [ $? != 0 ]; says "the code is used up" $?

invite_and_join; says "a new code shows words again" $?
laptop device approve --words "$(echo "$words" | tr 'a-z' 'A-Z')" >"$DIR/out" 2>"$DIR/err"; says "the same words, however written, are a yes" $?
wait "$joining"; says "and the phone has joined" $?
laptop device list 2>/dev/null | grep -q phone; says "and is listed" $?
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
