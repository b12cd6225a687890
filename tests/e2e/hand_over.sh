#!/bin/bash
# Keys that are made after a phone was enrolled: the phone has them at its next command, with nothing typed for it,
# and loses them with its revocation. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-hand-over.XXXXXX)
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
    else failed=$((failed + 1)); echo "FAIL  $1"; tail -n 5 "$DIR/out" "$DIR/err"; fi
}
serve() {
    halfkeyd --data "$DIR/service" --listen "${1:-tcp://127.0.0.1:0}" >"$DIR/ready" 2>>"$DIR/service.log" &
    service=$!
    for _ in $(seq 200); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.05; done
    address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
}
enrol_phone() {
    laptop device invite >"$DIR/invite" 2>"$DIR/err" || return 1
    code=$(grep -o 'halfkey-join:[^ ]*' "$DIR/invite" | head -n 1)
    phone device join "$code" --device phone --no-passphrase >"$DIR/join" 2>"$DIR/err" &
    joining=$!; words=
    for _ in $(seq 400); do words=$(sed -n 's/^words: *//p' "$DIR/join"); [ -n "$words" ] && break; sleep 0.05; done
    laptop device approve --words "$words" >"$DIR/out" 2>"$DIR/err" && wait "$joining"
}
entries() { laptop log --verify >/dev/null 2>&1; laptop log --json --count 500 2>/dev/null | grep -c "\"$1\""; }

serve
laptop init --service "$address" --device laptop --no-passphrase >"$DIR/out" 2>"$DIR/err"; says "init" $?
enrol_phone; says "the phone joins an account that has no key" $?

laptop key create letters --suite x25519 >"$DIR/out" 2>"$DIR/err"; says "the laptop makes a key" $?
grep -o 'age1[a-z0-9]*' "$DIR/out" | head -n 1 >"$DIR/recipient"
echo "to the phone" >"$DIR/plain"
age -r "$(cat "$DIR/recipient")" -o "$DIR/letter.age" "$DIR/plain"; says "somebody encrypts to it" $?
phone decrypt --key letters "$DIR/letter.age" >"$DIR/out" 2>"$DIR/err" && cmp -s "$DIR/out" "$DIR/plain"
says "the phone's next command is to decrypt with it, and does" $?

for suite in ed25519 secp256k1-schnorr secp256k1-ecdh secp256k1-ecdsa; do
    laptop key create "new-$suite" --suite $suite >"$DIR/out" 2>"$DIR/err"; says "the laptop makes a key of suite $suite" $?
done
point=0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798
phone agree --key new-secp256k1-ecdh $point >"$DIR/out" 2>"$DIR/err"; says "the phone agrees with secp256k1-ecdh" $?
laptop agree --key new-secp256k1-ecdh $point >"$DIR/out2" 2>"$DIR/err"; cmp -s "$DIR/out" "$DIR/out2"
says "to what the laptop agrees to" $?

for suite in ed25519 secp256k1-schnorr secp256k1-ecdsa; do
    phone sign --key "new-$suite" --format raw -o "$DIR/plain.sig" "$DIR/plain" >"$DIR/out" 2>"$DIR/err"; says "the phone signs with $suite" $?
    laptop verify --key "new-$suite" --format raw --signature "$DIR/plain.sig" "$DIR/plain" >"$DIR/out" 2>"$DIR/err"
    says "and the signature is good" $?
    rm -f "$DIR/plain.sig"
done
# --- the phone is away, and the service is started anew meanwhile ---
phone agent --stop >/dev/null 2>&1
laptop key create away --suite ed25519 >"$DIR/out" 2>"$DIR/err"; says "a key is made while the phone is away" $?
laptop device update phone >"$DIR/out" 2>"$DIR/err" && grep -q "1 key waits for 'phone'" "$DIR/out"; says "it waits for the phone" $?
laptop key create away-too --suite x25519 >"$DIR/out" 2>"$DIR/err"; says "and another one" $?
laptop device update phone >"$DIR/out" 2>"$DIR/err" && grep -q "2 keys wait for 'phone'" "$DIR/out"; says "both wait" $?
[ "$(laptop device update phone --json 2>"$DIR/err" | jq -r '.device + ":" + (.waiting | tostring)')" = phone:2 ]; says "as JSON too" $?
laptop agent --stop >/dev/null 2>&1
kill "$service"; wait "$service" 2>/dev/null; serve "tcp://127.0.0.1:${address##*:}"
phone >"$DIR/out" 2>"$DIR/err"; says "the phone comes back" $?
! grep -q "no half here" "$DIR/out"; says "and has a half of every key, with the laptop off" $?
phone sign --key away --format raw -o "$DIR/plain.sig" "$DIR/plain" >"$DIR/out" 2>"$DIR/err"; says "it signs" $?
laptop verify --key away --format raw --signature "$DIR/plain.sig" "$DIR/plain" >"$DIR/out" 2>"$DIR/err"; says "well" $?
laptop device update phone >"$DIR/out" 2>"$DIR/err" && grep -q "has all keys" "$DIR/out"; says "and nothing waits any more" $?
laptop device update laptop >"$DIR/out" 2>"$DIR/err"; [ $? = 1 ]; says "a device does not update itself" $?
laptop device update tablet >"$DIR/out" 2>"$DIR/err"; [ $? = 1 ] && grep -q "no device 'tablet'" "$DIR/err"; says "nor one that there is not" $?

# --- refresh on both sides, and keys again ---
phone refresh >"$DIR/out" 2>"$DIR/err" && laptop refresh >"$DIR/out" 2>"$DIR/err"; says "both refresh" $?
laptop key create later --suite ed25519 >"$DIR/out" 2>"$DIR/err" &&
    phone sign --key later --format raw -o "$DIR/plain.sig" "$DIR/plain" >"$DIR/out" 2>"$DIR/err"
says "a key that is made then is the phone's as well" $?
seals=$(entries hand-seal); [ "$seals" -ge 7 ]; says "the log has every hand-over ($seals)" $?
phone log --verify >"$DIR/out" 2>"$DIR/err"; says "and the phone finds it whole" $?

# --- nobody types anything on the phone but its unlocking ---
phone agent --stop >/dev/null 2>&1
laptop key create unseen --suite ed25519 >"$DIR/out" 2>"$DIR/err"; says "a key for a phone that is only unlocked" $?
confirmed=$(entries hand-confirm)
phone unlock >"$DIR/out" 2>"$DIR/err"; says "it is unlocked, and asked for nothing" $?
for _ in $(seq 60); do [ "$(entries hand-confirm)" -gt "$confirmed" ] && break; sleep 0.5; done
[ "$(entries hand-confirm)" -gt "$confirmed" ]; says "its agent has come for the key by itself" $?

# --- the phone is lost with a key on its way to it ---
phone agent --stop >/dev/null 2>&1; cp -r "$DIR/phone" "$DIR/lost"
laptop key create late --suite ed25519 >"$DIR/out" 2>"$DIR/err"; says "a key is on its way to the phone" $?
laptop device revoke phone >"$DIR/out" 2>"$DIR/err"; says "the phone is revoked" $?
phone sign --key late --format raw "$DIR/plain" >"$DIR/out" 2>"$DIR/err"; [ $? = 4 ] && grep -q revoked "$DIR/err"
says "it does not get that key, and is told why" $?
phone sign --key later --format raw "$DIR/plain" >"$DIR/out" 2>"$DIR/err"; [ $? = 4 ]; says "and what it had is dead" $?
laptop device update phone >"$DIR/out" 2>"$DIR/err"; [ $? = 1 ]; says "nobody hands anything to it again" $?
laptop key create after --suite x25519 >"$DIR/out" 2>"$DIR/err"; says "the laptop goes on" $?
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
