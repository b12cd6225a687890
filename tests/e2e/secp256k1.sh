#!/bin/bash
# Keys on secp256k1, from their making to the revocation of a device, beside OpenSSL. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-secp256k1.XXXXXX)
export PATH="$BIN:$PATH" HALFKEY_HOME="$DIR/laptop"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY
export XDG_CONFIG_HOME="$DIR/config"
passed=0; failed=0; service=
phone() { HALFKEY_HOME=$DIR/phone halfkey "$@"; }
clean_up() {
    halfkey agent --stop >/dev/null 2>&1; phone agent --stop >/dev/null 2>&1
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
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
prints() { local want=$1; shift; [ -n "$want" ] && [ "$("$@" 2>/dev/null)" = "$want" ]; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
: >"$DIR/ready"
halfkeyd --data "$DIR/service" --listen tcp://127.0.0.1:0 >"$DIR/ready" 2>"$DIR/service.log" &
service=$!
for _ in $(seq 200); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.05; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
[ -n "$address" ] || { cat "$DIR/service.log"; echo "0 passed, 1 failed"; exit 1; }
check "init" halfkey init --service "$address" --device laptop --no-passphrase

# --- making and showing ---
check "a key for BIP-340" halfkey key create coins --suite secp256k1-schnorr
cp "$DIR/out" "$DIR/made"
check "its x-coordinate is printed" grep -qE '^[0-9a-f]{64}$' "$DIR/made"
check "a key for agreement" halfkey key create mailbox --suite secp256k1-ecdh
check "an Ed25519 key beside them" halfkey key create work --suite ed25519
exits "a suite that there is not" 2 "secp256k1-schnorr (to sign)" halfkey key create other --suite secp256k1
xonly=$(halfkey key export coins --format xonly)
check "x alone and the compressed point agree" sh -c "halfkey key export coins --format raw | grep -qE '^0[23]$xonly\$'"
check "OpenSSL reads the key" sh -c "halfkey key export coins --format pem | openssl pkey -pubin -noout -text | grep -q secp256k1"
check "the point that OpenSSL reads is the one exported" prints "$(halfkey key export mailbox --format raw)" sh -c \
    "halfkey key export mailbox --format pem | openssl ec -pubin -conv_form compressed -outform DER 2>/dev/null | tail -c 33 | od -An -v -tx1 | tr -d ' \n'"
check "OpenSSL reads the Ed25519 key" sh -c "halfkey key export work --format pem | openssl pkey -pubin -noout -text | grep -q ED25519"
exits "a format of another suite says which fit" 1 "xonly, raw or pem" halfkey key export coins --format ssh
check "the list says which is which" sh -c "halfkey key list --json | jq -e 'map(select(.xonly != null) | .name) == [\"coins\"]'"

# --- ECDSA ---
echo "pay Alice" >"$DIR/order"
check "a key for ECDSA" halfkey key create till --suite secp256k1-ecdsa
halfkey key export till --format pem >"$DIR/till.pem"
check "an ECDSA signature in DER" halfkey sign --key till --format der -o "$DIR/order.sig" "$DIR/order"
check "OpenSSL accepts it" openssl dgst -sha256 -verify "$DIR/till.pem" -signature "$DIR/order.sig" "$DIR/order"
check "verify does" halfkey verify --key till --format der "$DIR/order"
echo "pay Mallory" >"$DIR/other"
exits "not for another file" 1 "signature" halfkey verify --key till --format der -s "$DIR/order.sig" "$DIR/other"
exits "what is no signature is named, not the file that it should be of" 1 "other: not well formed" halfkey verify --key till --format der -s "$DIR/other" "$DIR/order"
check "a digest made elsewhere" halfkey sign --key till --format raw -o "$DIR/digest.sig" \
    --digest "$(sha256sum "$DIR/order" | cut -c1-64)"
check "is what signing the file is, by the public key alone" halfkey verify --format raw \
    --public "$(halfkey key export till --format raw)" -s "$DIR/digest.sig" "$DIR/order"
check "compact has the recovery id behind it" sh -c "halfkey sign --key till --format compact '$DIR/order' | grep -qE '^[0-9a-f]{128}0[0-3]\$'"
many() { for _ in 1 2 3 4 5 6; do halfkey sign --key till --format der -o "$DIR/many.sig" "$DIR/order" &&
    openssl dgst -sha256 -verify "$DIR/till.pem" -signature "$DIR/many.sig" "$DIR/order" || return 1; done; }
check "one signature after the other, each prepared by the one before" many
halfkey agent --stop
export HALFKEY_PREPARED=off
check "and with nothing prepared" many
unset HALFKEY_PREPARED
halfkey agent --stop
exits "a format of another suite" 1 "is for others" halfkey sign --key till --format schnorr "$DIR/order"
check "refresh" halfkey refresh
check "signs after it" halfkey sign --key till --format der -o "$DIR/order.sig" "$DIR/order"
check "and OpenSSL accepts that too" openssl dgst -sha256 -verify "$DIR/till.pem" -signature "$DIR/order.sig" "$DIR/order"
openssl ecparam -name secp256k1 -genkey -noout -out "$DIR/whole.pem"
openssl ec -in "$DIR/whole.pem" -outform DER 2>/dev/null | tail -c +8 | head -c 32 >"$DIR/whole"
check "a key that was whole before" halfkey key import --format raw --suite secp256k1-ecdsa stall "$DIR/whole"
check "signs" halfkey sign --key stall --format der -o "$DIR/old.sig" "$DIR/order"
openssl ec -in "$DIR/whole.pem" -pubout -out "$DIR/whole.pub" 2>/dev/null
check "and OpenSSL accepts it under the old key" openssl dgst -sha256 -verify "$DIR/whole.pub" -signature "$DIR/old.sig" "$DIR/order"

# --- BIP-340 ---
echo "pay Bob" >"$DIR/message"
check "sign" halfkey sign --key coins --format schnorr -o "$DIR/message.sig" "$DIR/message"
check "a signature has 64 bytes" test "$(wc -c <"$DIR/message.sig")" = 64
check "verify by the key's name" halfkey verify --key coins --format schnorr "$DIR/message"
check "verify by x alone and no agent" env HALFKEY_HOME="$DIR/none" halfkey verify --public "$xonly" --format schnorr "$DIR/message"
check "raw is the same for this suite" sh -c "halfkey sign --key coins --format raw '$DIR/message' >'$DIR/raw.sig' && halfkey verify --key coins --format schnorr --signature '$DIR/raw.sig' '$DIR/message'"
echo "pay Eve" >"$DIR/other"
exits "another message is refused" 1 "not valid" halfkey verify --key coins --format schnorr --signature "$DIR/message.sig" "$DIR/other"
digest=$(openssl dgst -sha256 -binary "$DIR/message" | hex)
check "sign a digest" halfkey sign --key coins --format schnorr --digest "$digest" -o "$DIR/digest.sig"
check "verify it" halfkey verify --key coins --format schnorr --digest "$digest" --signature "$DIR/digest.sig"
check "it is a signature of those 32 bytes" sh -c "openssl dgst -sha256 -binary '$DIR/message' >'$DIR/bytes' && halfkey verify --public $xonly --format schnorr --signature '$DIR/digest.sig' '$DIR/bytes'"
check "sign for a taproot output" halfkey sign --key coins --format schnorr --tweak-root "$digest" --digest "$digest" -o "$DIR/tweaked.sig"
check "the output key verifies" halfkey verify --key coins --format schnorr --tweak-root "$digest" --digest "$digest" --signature "$DIR/tweaked.sig"
exits "the key itself does not" 1 "not valid" halfkey verify --key coins --format schnorr --digest "$digest" --signature "$DIR/tweaked.sig"
check "an output without scripts" halfkey sign --key coins --format schnorr --tweak-root "" --digest "$digest" -o "$DIR/bip86.sig"
check "verifies as that" halfkey verify --key coins --format schnorr --tweak-root "" --digest "$digest" --signature "$DIR/bip86.sig"
exits "a root of another length" 2 "64 hexadecimal" halfkey sign --key coins --format schnorr --tweak-root abcd --digest "$digest"
exits "a digest of another length" 2 "64 hexadecimal" halfkey sign --key coins --format schnorr --digest abcd
exits "a file or a digest, not both" 2 "give FILE, or --digest" halfkey sign --key coins --format schnorr --digest "$digest" "$DIR/message"
exits "Ed25519 signs no digest" 1 "give FILE" halfkey sign --key work --format raw --digest "$digest"
exits "Ed25519 knows no tweak" 1 "secp256k1-schnorr" halfkey sign --key work --format raw --tweak-root "$digest" "$DIR/message"
exits "OpenSSH knows no such key" 1 "suite secp256k1-schnorr" halfkey sign --key coins --format ssh "$DIR/message"
exits "a key for agreement does not sign" 1 "cannot sign" halfkey sign --key mailbox --format schnorr "$DIR/message"

# --- agreement, against OpenSSL's ---
openssl ecparam -name secp256k1 -genkey -noout -out "$DIR/ephemeral.pem"
point=$(openssl ec -in "$DIR/ephemeral.pem" -pubout -conv_form compressed -outform DER 2>/dev/null | tail -c 33 | hex)
halfkey key export mailbox --format pem >"$DIR/mailbox.pem"
x=$(openssl pkeyutl -derive -inkey "$DIR/ephemeral.pem" -peerkey "$DIR/mailbox.pem" | hex)
check "the shared x-coordinate is OpenSSL's" sh -c "halfkey agree --key mailbox $point | grep -qE '^0[23]$x\$'"
check "also with a proof" sh -c "halfkey agree --key mailbox --prove $point | grep -qE '^0[23]$x\$'"
check "several at once" sh -c "test \"\$(halfkey agree --key mailbox $point $point $point | sort -u | wc -l)\" = 1"
exits "a point off the curve is refused" 1 "not an honest" halfkey agree --key mailbox "02$(printf 'f%.0s' $(seq 64))"
exits "an x25519 point is refused" 1 "33 bytes" halfkey agree --key mailbox "$xonly"
exits "a key for signatures does not agree" 1 "not for key agreement" halfkey agree --key coins "$point"

# --- import: the key of the WIF description, in its three forms ---
negative=f3d7035c79385dd89ff4d01af48351ecce2809278f8a591fd73a36ab32c39724
whole=0c28fca386c7a227600b2fe50b7cae11ec86d3bf1fbe471be89827e19d72aa1d
public=02d0de0aaeaefad02b8bdc8a01a1b8b11c696bd3d66a2c5f10780d95b7df42645c
echo "$whole" >"$DIR/raw"
echo 5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ >"$DIR/wif"
echo KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617 >"$DIR/wif-compressed"
check "import a wallet's text" halfkey key import wallet "$DIR/wif" --format wif --suite secp256k1-ecdh
check "its public key is right" prints "$public" halfkey key export wallet --format raw
exits "nobody has it for a second purpose" 1 "already, as 'wallet'" halfkey key import old "$DIR/raw" --format raw --suite secp256k1-schnorr
echo "$negative" >"$DIR/raw-negative"
exits "nor its negative" 1 "already, as 'wallet'" halfkey key import old "$DIR/raw-negative" --format raw --suite secp256k1-ecdsa
check "nothing was made" sh -c "halfkey key list --json | jq -e 'all(.[]; .name != \"old\")'"
check "it is deleted" halfkey key delete wallet --yes
check "import the form for compressed keys" halfkey key import wallet2 "$DIR/wif-compressed" --format wif --suite secp256k1-schnorr
check "its public key is the same" prints "$public" halfkey key export wallet2 --format raw
check "that is deleted" halfkey key delete wallet2 --yes
check "import digits" halfkey key import old "$DIR/raw" --format raw --suite secp256k1-schnorr
check "its public key too" prints "$public" halfkey key export old --format raw
check "an imported key signs" sh -c "halfkey sign --key old --format schnorr '$DIR/message' >'$DIR/old.sig' && halfkey verify --public ${public#02} --format schnorr --signature '$DIR/old.sig' '$DIR/message'"
sed 's/u/v/' "$DIR/wif" >"$DIR/wif-wrong"
exits "a slip of the pen is named" 1 "checksum" halfkey key import no "$DIR/wif-wrong" --format wif --suite secp256k1-ecdh
exits "wif needs a suite" 2 "which is it" halfkey key import no "$DIR/wif" --format wif
exits "wif is of secp256k1 alone" 2 "no key of suite ed25519" halfkey key import no "$DIR/wif" --format wif --suite ed25519
printf 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141' >"$DIR/order"
exits "n is no private key" 1 "order" halfkey key import no "$DIR/order" --format raw --suite secp256k1-schnorr

# --- a second device, refresh, revocation ---
halfkey device invite >"$DIR/invite" 2>"$DIR/err"
code=$(grep -o 'halfkey-join:[^ ]*' "$DIR/invite" | head -n 1); [ -n "$code" ] || code=$(head -n 1 "$DIR/invite")
: >"$DIR/join"
phone device join "$code" --device phone --no-passphrase >"$DIR/join" 2>"$DIR/join.err" &
joining=$!
words=; for _ in $(seq 200); do words=$(sed -n 's/^words: *//p' "$DIR/join"); [ -n "$words" ] && break; sleep 0.05; done
check "approve the phone" halfkey device approve --words "$words"
check "the phone joins" wait "$joining"
phone_signs() { phone sign --key coins --format schnorr -o "$DIR/phone.sig" "$DIR/message" && phone verify --key coins --format schnorr --signature "$DIR/phone.sig" "$DIR/message"; }
phone_agrees() { phone agree --key mailbox "$point" | grep -qE "^0[23]$x\$"; }
phone_orders() { phone sign --key till --format der -o "$DIR/phone.order" "$DIR/order" && openssl dgst -sha256 -verify "$DIR/till.pem" -signature "$DIR/phone.order" "$DIR/order"; }
check "the phone signs with the same key" phone_signs
check "and with the ECDSA key, under a Paillier key of its own" phone_orders
check "the phone agrees the same secret" phone_agrees
check "the keys are the same there" prints "$xonly" phone key export coins --format xonly
check "refresh on the phone" phone refresh
check "refresh on the laptop" halfkey refresh
check "the phone signs after it" phone_signs
check "and agrees" phone_agrees
check "the laptop signs" halfkey sign --key coins --format schnorr -o "$DIR/message.sig" "$DIR/message"
check "under the same key" halfkey verify --public "$xonly" --format schnorr "$DIR/message"
check "and agrees the same" sh -c "halfkey agree --key mailbox $point | grep -qE '^0[23]$x\$'"
check "revoke the phone" halfkey device revoke phone
exits "it signs no more" 4 "revoked" phone sign --key coins --format schnorr "$DIR/message"
exits "nor with the ECDSA key" 4 "revoked" phone sign --key till --format der "$DIR/order"
exits "it agrees no more" 4 "revoked" phone agree --key mailbox "$point"
set_ups() { sqlite3 "file:$DIR/service/store.db?mode=ro" "SELECT count(*) FROM ecdsa"; }
check "the revocation has erased the set-ups of the laptop's keys too" prints 0 set_ups
check "which asks for others by itself, and signs" halfkey sign --key till --format der -o "$DIR/order.sig" "$DIR/order"
check "OpenSSL accepts that" openssl dgst -sha256 -verify "$DIR/till.pem" -signature "$DIR/order.sig" "$DIR/order"
check "the laptop goes on" halfkey sign --key coins --format schnorr -o "$DIR/message.sig" "$DIR/message"
check "the log verifies" halfkey log --verify
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
