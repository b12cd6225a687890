#!/bin/bash
# halfkey's card beside another one: an OpenPGP card of the tests (tests/card/card.c) in the virtual reader of
# vsmartcard-vpcd, with stock pcscd, scdaemon, gpg-agent and gpg. Needs root for pcscd. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/hk-cards.XXXXXX)
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root
export PATH="$BIN:$PATH:/usr/sbin" XDG_CONFIG_HOME="$DIR/config" HOME="$DIR/user" LC_ALL=C
export HALFKEY_HOME="$DIR/laptop" GNUPGHOME="$DIR/gpg"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY GPG_TTY DISPLAY WAYLAND_DISPLAY
passed=0; failed=0; service=; reader=; card=
mkdir -p "$HOME"; mkdir -m 700 "$GNUPGHOME"
clean_up() {
    { gpgconf --kill all; halfkey agent --stop; } >/dev/null 2>&1
    for pid in $card $reader $service; do kill "$pid"; wait "$pid"; done 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
check() { # WHAT COMMAND...: it must succeed
    local what=$1; shift
    if timeout 60 "$@" >"$DIR/out" 2>"$DIR/err" </dev/null; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $?"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
says() { # WHAT WORD COMMAND...: it must succeed and print WORD
    local what=$1 word=$2; shift 2
    if timeout 60 "$@" >"$DIR/out" 2>"$DIR/err" </dev/null && grep -q -- "$word" "$DIR/out" "$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: not '$word'"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
fingerprint() { gpg --list-keys --with-colons "$1" 2>/dev/null | awk -F: '/^fpr/ { print $10; exit }'; }
if [ "$(id -u)" != 0 ] || ! command -v pcscd >/dev/null || [ ! -e /etc/reader.conf.d/vpcd ]; then
    echo "cards: needs root, pcscd and vsmartcard-vpcd"; echo "0 passed, 1 failed"; exit 1
fi
echo disable-ccid >"$GNUPGHOME/scdaemon.conf"
echo "the plan" >"$DIR/plan"

# ---- a key that moves onto the other card: made by gpg, its seed read from gpg's own file, then deleted there ----
for _ in 1 2 3 4; do # a seed with a zero in front is written shorter
    gpg --batch --quiet --passphrase '' --quick-gen-key "Carl <carl@example.org>" ed25519 sign 0 2>/dev/null
    carl=$(fingerprint carl@example.org)
    grip=$(gpg --list-keys --with-keygrip --with-colons carl@example.org | awk -F: '/^grp/ { print $10; exit }')
    seed=$(tr -d ' \n' <"$GNUPGHOME/private-keys-v1.d/$grip.key" | sed -n 's/.*(d#\([0-9A-F]\{64\}\)#).*/\1/p')
    [ -z "$seed" ] || break
    gpg --batch --yes --delete-secret-and-public-key "$carl"
done
rm "$GNUPGHOME/private-keys-v1.d/$grip.key"; gpgconf --kill all
pcscd --foreground >"$DIR/pcscd.log" 2>&1 & reader=$!
for _ in $(seq 100); do ss -ltn | grep -q ':35963 ' && break; sleep 0.1; done
CARD_LOG=1 "$BIN/test/card" "$seed" 35963 2>"$DIR/card.log" & card=$!
sleep 1

# ---- first without halfkey: stock scdaemon alone ----
says "stock scdaemon sees the card" "FFFE 00001234\|00001234" gpg --card-status
signs() { # USER FILE: with a PIN, where one is wanted
    echo 123456 | timeout 60 gpg --batch --yes --pinentry-mode loopback --passphrase-fd 0 -u "$1" -s -o "$2" "$DIR/plan"
}
both() { signs "$1" "$DIR/$2.gpg" && gpg --batch --verify "$DIR/$2.gpg"; }
export -f signs both; export DIR
says "and signs with it, by its PIN" 'Good signature from "Carl' bash -c 'both carl@example.org before'

# ---- then halfkey ----
halfkeyd --data "$DIR/service" --listen "ipc://$DIR/socket" >"$DIR/ready" 2>"$DIR/service.log" & service=$!
for _ in $(seq 500); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.02; done
check "init" halfkey init --service "$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")" --device laptop --no-passphrase
check "a key to sign" halfkey key create mail --suite ed25519
check "a key to decrypt" halfkey key create box --suite x25519
check "setup, with the other card in the reader" halfkey gpg setup --key mail --decryption-key box --user-id "Ann <ann@example.org>"
ours=$(sed -n 's/^serial = //p' "$GNUPGHOME/halfkey-scd.conf")
says "gpg has stubs of both cards" "$ours" gpg -K --with-colons
says "of both" "D276000124010304FFFE000012340000" gpg -K --with-colons
says "halfkey's key signs" 'Good signature from "Ann' bash -c 'both ann@example.org ann'
says "the other card still signs, by its PIN" 'Good signature from "Carl' bash -c 'both carl@example.org carl'
says "and by turns" 'Good signature from "Ann' bash -c 'both ann@example.org ann && both carl@example.org carl && both ann@example.org ann'
check "its PIN was asked of it and not of halfkey" grep -q "20 00 81 -> 9000" <(cat "$DIR/card.log")
check "what is encrypted to halfkey's key" gpg --batch --trust-model always -e -r ann@example.org -o "$DIR/letter" "$DIR/plan"
says "is read" "the plan" gpg --batch -d "$DIR/letter"
says "gpg --card-status is about the card in the reader" "00001234" gpg --card-status
says "both are listed" "$ours" gpg-connect-agent 'SCD GETINFO card_list' /bye
wrong() { ! echo 999999 | timeout 60 gpg --batch --yes --pinentry-mode loopback --passphrase-fd 0 -u carl@example.org -s -o "$DIR/no" "$DIR/plan"; }
export -f wrong
check "a wrong PIN does not sign" bash -c wrong

# ---- the card is drawn ----
kill $card; wait $card 2>/dev/null; card=
says "halfkey's goes on" 'Good signature from "Ann' bash -c 'both ann@example.org ann'
gpg --card-status >/dev/null 2>&1 # scdaemon notices that it is gone when it looks for it
says "and is what gpg --card-status finds" "unmanaged S/N range\|FF48" gpg --card-status
check "the other one is missed" bash -c '! signs carl@example.org "$DIR/gone"'
CARD_LOG=1 "$BIN/test/card" "$seed" 35963 2>>"$DIR/card.log" & card=$!
for _ in $(seq 50); do gpg --card-status 2>/dev/null | grep -q 00001234 && break; sleep 0.2; done
says "and works when it is back" 'Good signature from "Carl' bash -c 'both carl@example.org carl'
check "undone" halfkey gpg setup --remove
says "stock scdaemon alone again" 'Good signature from "Carl' bash -c 'both carl@example.org after'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
