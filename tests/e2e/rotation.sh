#!/bin/bash
# Keys come to an end: rotate with a link that others verify, delete on every device, beside OpenSSL. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}/test" && pwd) # the one in which a test can stop a command
DIR=$(mktemp -d /tmp/halfkey-rotation.XXXXXX)
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY HALFKEY_HOME HK_CRASH HK_CUT HK_PASSED
passed=0; failed=0; service=
clean_up() {
    laptop agent --stop >/dev/null 2>&1; phone agent --stop >/dev/null 2>&1
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
laptop() { HALFKEY_HOME=$DIR/laptop timeout 60 halfkey "$@" </dev/null; }
phone() { HALFKEY_HOME=$DIR/phone timeout 60 halfkey "$@" </dev/null; }
check() { # WHAT COMMAND...: it must succeed
    local what=$1; shift
    if "$@" >"$DIR/out" 2>"$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what"; tail -n 5 "$DIR/out" "$DIR/err"; fi
}
exits() { # WHAT STATUS WORD COMMAND...: it must end with that status and say WORD
    local what=$1 status=$2 word=$3; shift 3
    "$@" >"$DIR/out" 2>"$DIR/err" </dev/null
    local got=$?
    if [ "$got" = "$status" ] && grep -qi -- "$word" "$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $got, not $status"; tail -n 5 "$DIR/out" "$DIR/err"; fi
}
is() { [ "$1" = "$2" ] || { echo "got '$1', not '$2'"; return 1; }; }
names() { "$1" key list --json 2>>"$DIR/err" | jq -r '[.[].name] | sort | join(" ")'; }

: >"$DIR/ready"
halfkeyd --data "$DIR/service" --listen "ipc://$DIR/socket" >"$DIR/ready" 2>"$DIR/service.log" & service=$!
for _ in $(seq 500); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.02; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
check "init" laptop init --service "$address" --device laptop --no-passphrase
check "a key that decrypts" laptop key create files --suite x25519
check "a key that signs" laptop key create work --suite ed25519
check "one for BIP-340" laptop key create coins --suite secp256k1-schnorr
check "one for ECDSA" laptop key create till --suite secp256k1-ecdsa
echo secret | age -r "$(laptop key export files --format age)" -o "$DIR/sealed.age"
code=$(laptop device invite | head -n 1)
phone device join "$code" --device phone --no-passphrase >"$DIR/join" 2>&1 & joining=$!
for _ in $(seq 400); do grep -q '^words: ' "$DIR/join" && break; sleep 0.02; done
check "a phone joins" laptop device approve --words "$(sed -n 's/^words: //p' "$DIR/join")"
wait $joining

# --- rotate ---
for key in work:raw coins:schnorr till:raw; do
    name=${key%:*} format=${key#*:}
    check "$name is rotated" laptop key rotate "$name"
    check "the link of $name" laptop key link "$name-2" -o "$DIR/link.$name"
    check "is signed by the old key, says anybody who has that" laptop verify --format "$format" --public \
        "$(laptop key export "$name" --format "$([ "$format" = schnorr ] && echo xonly || echo raw)")" --signature "$DIR/link.$name.sig" "$DIR/link.$name"
    check "and names the new one" grep -q "^new .* $(laptop key export "$name-2" --format raw)\$" "$DIR/link.$name"
    sed 's/^time 1/time 2/' "$DIR/link.$name" >"$DIR/changed"
    exits "one that was changed is refused" 1 "" laptop verify --format "$format" --key "$name" --signature "$DIR/link.$name.sig" "$DIR/changed"
done
check "a key that agrees is rotated under a name of its own" laptop key rotate files --as letters
check "its link is the account's" sh -c "HALFKEY_HOME=$DIR/laptop halfkey key link letters 2>&1 >/dev/null | grep -q 'signed by the account'"
check "the second rotation counts on" laptop key rotate work-2
check "as work-3" is "$(names laptop)" "coins coins-2 files letters till till-2 work work-2 work-3"
exits "a name that is taken" 1 "already" laptop key rotate work --as files
exits "a key that there is not" 1 "no key" laptop key rotate nothing
exits "a key that is nobody's successor has no link" 1 "no link" laptop key link work
check "the old key goes on working" is "$(laptop decrypt --key files "$DIR/sealed.age")" secret
check "the new one works" sh -c "echo text | age -r $(laptop key export letters --format age) | HALFKEY_HOME=$DIR/laptop halfkey decrypt --key letters | grep -qx text"
exits "an ordinary device rotates nothing" 1 "administrator" phone key rotate work

# --- delete ---
exits "nobody is asked without a terminal" 5 "yes" laptop key delete files
exits "an ordinary device deletes nothing" 1 "administrator" phone key delete files --yes
check "the phone still decrypts" is "$(phone decrypt --key files "$DIR/sealed.age")" secret
# The phone is in the middle of a refresh that covers the key: its agent dies between the answer and the confirm.
check "its agent ends" phone agent --stop
HK_CRASH=refresh.next/after:1 phone refresh >>"$DIR/out" 2>&1
check "the key is deleted meanwhile" laptop key delete files --yes
exits "twice there is nothing to delete" 1 "no key" laptop key delete files --yes
exits "it opens nothing on this device" 1 "no x25519 key" laptop decrypt --key files "$DIR/sealed.age"
check "the phone's refresh comes to its end" phone refresh
exits "it opens nothing there either" 1 "on this device\|no x25519 key" phone decrypt --key files "$DIR/sealed.age"
check "the phone knows what there is" is "$(names phone)" "coins coins-2 letters till till-2 work work-2 work-3"
check "its other keys work" phone sign --key work --format raw "$DIR/sealed.age" -o "$DIR/sig"
# A refresh that begins before the phone has heard of it: the agent dies with the seed stored.
check "the phone's agent ends" phone agent --stop
HK_CRASH=refresh.seed/after:1 phone refresh >>"$DIR/out" 2>&1
check "another key is deleted" laptop key delete till --yes
check "the phone begins its refresh anew" phone refresh
check "and knows what there is" is "$(names phone)" "coins coins-2 letters till-2 work work-2 work-3"
check "the deletions are in the log" sh -c "HALFKEY_HOME=$DIR/phone halfkey log --json | jq -e '[.[] | select(.operation == \"key-delete\")] | length == 2'"
check "which verifies" phone log --verify
check "the name is free again" laptop key create files --suite x25519
check "the database has no half of what is gone" is "$(sqlite3 "file:$DIR/service/store.db?mode=ro" \
    'SELECT count(*) FROM keys; SELECT count(*) FROM halves h LEFT JOIN keys k ON k.number = h.key WHERE k.number IS NULL')" "$(printf '9\n0')"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
