#!/bin/bash
# The account comes back: shares as files and as words, people with halfkey accounts, holders elsewhere; at the same service and at
# another one, when the first is gone for good. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-recovery.XXXXXX)
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config" HOME="$DIR"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY HALFKEY_HOME
passed=0; failed=0; homes="laptop phone desk bob office late"; pids=
clean_up() {
    for home in $homes; do HALFKEY_HOME=$DIR/$home halfkey agent --stop >/dev/null 2>&1; done
    for pid in $pids; do kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
    rm -rf "$DIR"
}
trap clean_up EXIT
for home in $homes; do
    eval "$home() { HALFKEY_HOME=$DIR/$home timeout 60 halfkey \"\$@\" </dev/null; }"
done
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
has() { "$1" --json 2>>"$DIR/err" | jq -e "$2"; }
serve() { # NAME: starts it; its address to $address, its process to $service
    : >"$DIR/ready.$1"
    halfkeyd --data "$DIR/$1" --listen "ipc://$DIR/$1.socket" >"$DIR/ready.$1" 2>>"$DIR/$1.log" & service=$!; pids="$pids $service"
    for _ in $(seq 500); do grep -q '^halfkeyd ready' "$DIR/ready.$1" && break; sleep 0.02; done
    address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready.$1")
}
decrypts() { is "$("$1" decrypt --key files "$DIR/sealed.age" 2>&1)" secret; }
public_keys() { "$1" key list --json 2>>"$DIR/err" | jq -r '[.[] | .name + " " + .public_key] | sort | join("\n")'; }

serve a; a=$address a_pid=$service
serve b; b=$address
# --- an account without and with a recovery set ---
check "init says that there is no recovery" sh -c "HALFKEY_HOME=$DIR/laptop halfkey init --service '$a' --device laptop --no-passphrase </dev/null 2>&1 >/dev/null | grep -q 'No recovery'"
check "--no-recovery is quiet" sh -c "HALFKEY_HOME=$DIR/bob halfkey init --service '$a' --device bob --no-passphrase --no-recovery </dev/null 2>&1 | grep -v 'No recovery' | grep -q Account"
check "the state says that there is none" sh -c "HALFKEY_HOME=$DIR/laptop halfkey | grep -q '^Recovery  NONE'"
for key in files:x25519 work:ed25519 coins:secp256k1-schnorr mailbox:secp256k1-ecdh till:secp256k1-ecdsa; do
    check "a key of suite ${key#*:}" laptop key create "${key%:*}" --suite "${key#*:}"
done
echo secret | age -r "$(laptop key export files --format age)" -o "$DIR/sealed.age"
check "a friend has an account and a key" bob key create mine --suite x25519
friend=$(bob key export mine --format age)
exits "no set of one share" 2 "threshold" laptop recovery create --threshold 1 --shares 1 --out "$DIR/shares"
exits "more needed than there are" 2 "threshold" laptop recovery create --threshold 4 --shares 3 --out "$DIR/shares"
exits "a holder that is no key" 2 "recipient" laptop recovery create --threshold 2 --shares 3 --holder bob --out "$DIR/shares"
check "a set: two of four, one of them a friend" laptop recovery create --threshold 2 --shares 4 --holder "$friend" --out "$DIR/shares"
check "it is shown" has laptop '.recovery.threshold == 2 and .recovery.shares == 4 and .recovery.keys == 5'
check "the friend has no file" test ! -e "$DIR/shares/share-1.txt" -a -s "$DIR/shares/share-2.txt" -a -s "$DIR/shares/share-4.txt"
check "nobody else can read the shares" is "$(stat -c %a "$DIR/shares/share-2.txt")" 600
exits "shares are not written over" 1 "there already" laptop recovery create --threshold 2 --shares 3 --out "$DIR/shares"
check "a key made later" laptop key create later --suite x25519
check "has joined the set by itself" has laptop '.recovery.keys == 6'
public_keys laptop >"$DIR/keys"

# --- testing shares ---
set=$DIR/set
check "the set, written again" laptop recovery export -o "$set"
check "a share is good" laptop recovery test "$DIR/shares/share-2.txt" --set "$set"
cp "$DIR/out" "$DIR/good"
check "and says of how many keys" grep -q "good: share 2 of 4, any 2 of them bring back the 7 keys" "$DIR/good"
words=$(sed -n 's/^words: //p' "$DIR/shares/share-3.txt")
check "typed as words too" laptop recovery test "$words" --set "$set"
check "the friend tests his share with his own halfkey" bob recovery test --key mine --set "$set"
exits "words in another order" 1 "order" laptop recovery test "$(echo "$words" | awk '{t = $1; $1 = $2; $2 = t; print}')" --set "$set"
exits "a word that is none" 1 "word 3" laptop recovery test "$(echo "$words" | awk '{$3 = "hello"; print}')" --set "$set"
exits "a share of another set" 1 "no holder of this recovery set" laptop recovery test "kinit tudif gubon ruduf gulan navug goruv givit josoz ririf dunor gavot" --set "$set"
head -c 3000 "$set" >"$DIR/cut"; exits "a set that was cut" 1 "not a whole recovery set" laptop recovery test "$words" --set "$DIR/cut"
python3 - "$set" "$DIR/bad" <<'P'
import sys
data = bytearray(open(sys.argv[1], 'rb').read()); data[-20] ^= 1
open(sys.argv[2], 'wb').write(data)
P
exits "a sub-share that was changed is found" 1 "NOT GOOD" laptop recovery test "$DIR/shares/share-4.txt" --set "$DIR/bad"

# --- at the same service, with a share typed and one from its file ---
exits "one share is not enough" 1 "takes 2 holders" desk recover --service "$a" --device desk --no-passphrase --share "$DIR/shares/share-2.txt"
exits "whose account it is has to be known" 2 "whose account" desk recover --service "$a" --device desk --no-passphrase --share "$words" --share "$words"
check "two are" desk recover --service "$a" --device desk --no-passphrase --share "$DIR/shares/share-2.txt" --share "$words"
check "the keys are the same" is "$(public_keys desk)" "$(cat "$DIR/keys")"
check "what was encrypted before opens" decrypts desk
for key in work:raw coins:schnorr till:der; do
    check "${key%:*} signs" desk sign --key "${key%:*}" --format "${key#*:}" "$set" -o "$DIR/sig"
done
check "the log verifies" desk log --verify
check "and says how it came" sh -c "HALFKEY_HOME=$DIR/desk halfkey log --json | jq -e '[.[] | select(.operation == \"recover-finish\")] | length == 1'"
exits "the old laptop is revoked" 4 "revoked" laptop decrypt --key files "$DIR/sealed.age"
check "alone in the account" is "$(desk device list --json | jq -r '[.[] | .status] | sort | join(" ")')" "active revoked"
check "it can be used as ever: a key" desk key create new --suite ed25519
check "a refresh" desk refresh
check "the new key is in the set" has desk '.recovery.keys == 7'
check "the same command again prints the same" desk recover --service "$a" --device desk --no-passphrase --share "$DIR/shares/share-2.txt" --share "$words"
exits "another recovery into the same home" 1 "already" desk recover --service "$a" --device other --no-passphrase --share "$DIR/shares/share-2.txt" --share "$words"
public_keys desk >"$DIR/keys"

# --- at another service, the first one gone for good; holders are elsewhere, one of them with halfkey ---
check "the set, kept by somebody" desk recovery export -o "$set"
check "the desk dies" desk agent --stop
rm -rf "$DIR/desk"
exits "the other service knows nothing" 1 "no recovery set" office recover --service "$b" --device office --no-passphrase --share "$DIR/shares/share-2.txt" --share "$words"
check "the new device asks two holders" office recover --service "$b" --device office --no-passphrase --set "$set" --holder 1 --holder 4 --request "$DIR/request"
asked=$(sed -n 's/^words: //p' "$DIR/out")
exits "other words" 1 "somebody else" late recovery give "$DIR/request" --share "$DIR/shares/share-4.txt" --set "$set" --words "badab badab badab badab badab badab" -o "$DIR/four"
exits "who is not asked" 1 "not one of those" late recovery give "$DIR/request" --share "$DIR/shares/share-2.txt" --set "$set" --words "$asked" -o "$DIR/two"
check "the fourth answers" late recovery give "$DIR/request" --share "$DIR/shares/share-4.txt" --set "$set" --words "$asked" -o "$DIR/four"
exits "one answer is not enough" 5 "1 of 2 holders" office recover --service "$b" --device office --no-passphrase --answer "$DIR/four"
check "the friend answers with his own halfkey" bob recovery give "$DIR/request" --key mine --set "$set" --words "$asked" -o "$DIR/one"
kill "$a_pid"; wait "$a_pid" 2>/dev/null; rm -rf "$DIR/a"
python3 - "$DIR/one" "$DIR/lie" <<'P'
import sys
data = bytearray(open(sys.argv[1], 'rb').read()); data[-120] ^= 1
open(sys.argv[2], 'wb').write(data)
P
exits "an answer that was changed is refused" 1 "proof" office recover --service "$b" --device office --no-passphrase --answer "$DIR/four" --answer "$DIR/lie"
check "with both the account is back" office recover --service "$b" --device office --no-passphrase --answer "$DIR/four" --answer "$DIR/one"
check "the keys are the same" is "$(public_keys office)" "$(cat "$DIR/keys")"
check "what was encrypted on the first day opens" decrypts office
check "ECDSA signs, with a set-up of the new service" office sign --key till --format der "$set" -o "$DIR/sig"
check "the log of the new service verifies" office log --verify
check "a second device joins there" sh -c "HALFKEY_HOME=$DIR/office halfkey device invite | head -n 1 >'$DIR/code'"
late device join "$(cat "$DIR/code")" --device late --no-passphrase >"$DIR/join" 2>&1 & joining=$!
for _ in $(seq 400); do grep -q '^words: ' "$DIR/join" && break; sleep 0.02; done
check "and is approved" office device approve --words "$(sed -n 's/^words: //p' "$DIR/join")"
wait $joining
check "it opens the file too" decrypts late
kill "$service"; wait "$service" 2>/dev/null
check "no half is missing and none is too many" halfkeyd check --data "$DIR/b"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
