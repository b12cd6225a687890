#!/bin/bash
# Several administrators: what waits, who approves, who cancels; a suspended one; and a stolen administrator's laptop, which cannot
# take the account while another device is awake. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BUILT=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-administrators.XXXXXX)
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root
export PATH="$BUILT:$PATH" XDG_CONFIG_HOME="$DIR/config"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY HALFKEY_HOME
passed=0; failed=0; service=; homes="laptop phone tablet thief"
clean_up() {
    for home in $homes; do HALFKEY_HOME=$DIR/$home halfkey agent --stop >/dev/null 2>&1; done
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
for home in $homes; do eval "$home() { HALFKEY_HOME=$DIR/$home timeout 60 halfkey \"\$@\" </dev/null; }"; done
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
shows() { "$1" 2>>"$DIR/err" | grep -q "$2"; }
waiting() { "$1" changes --json 2>>"$DIR/err" | jq -r '[.[] | .change + ":" + .device] | sort | join(" ")'; }
status_of() { tablet device list --json 2>>"$DIR/err" | jq -r ".[] | select(.name == \"$1\") | .status"; }
enrol() { # ADMINISTRATOR NEW
    code=$("$1" device invite 2>>"$DIR/err" | head -n 1)
    : >"$DIR/join"; "$2" device join "$code" --device "$2" --no-passphrase >"$DIR/join" 2>&1 & joining=$!
    for _ in $(seq 600); do grep -q '^words: ' "$DIR/join" && break; sleep 0.02; done
    "$1" device approve --words "$(sed -n 's/^words: //p' "$DIR/join")" && wait $joining
}
later() { echo $((offset += $1)) >"$DIR/clock"; } # the service's clock; offset in seconds
offset=0; echo 0 >"$DIR/clock"
: >"$DIR/ready"
HK_CLOCK=$DIR/clock LD_PRELOAD=$BUILT/test/clock.so halfkeyd --data "$DIR/service" --listen "ipc://$DIR/socket" >"$DIR/ready" 2>"$DIR/service.log" & service=$!
for _ in $(seq 500); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.02; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")

check "init" laptop init --service "$address" --device laptop --no-passphrase --no-recovery
check "a key" laptop key create work --suite ed25519
check "a phone" enrol laptop phone
check "a tablet" enrol laptop tablet
check "and one that will be the thief's" enrol laptop thief # here, since an invitation expires by both clocks
# --- a promotion waits, is shown and cancelled ---
exits "an ordinary device promotes nobody" 1 "administrator" phone device promote phone
exits "a promotion waits" 5 "waits until" laptop device promote phone
exits "asking again makes it no sooner" 5 "waits until" laptop device promote phone
exits "who asked cannot approve" 1 "has asked for it" laptop changes approve promote phone
for home in laptop phone tablet; do check "it is shown on the $home" shows $home "WAITS: 'phone' becomes an administrator"; done
exits "an ordinary device cannot cancel" 1 "administrator" phone changes cancel promote phone
check "an administrator does" laptop changes cancel promote phone
check "nothing waits any more" is "$(waiting tablet)" ""
later 260000
exits "and time does not help it" 5 "waits until" laptop device promote phone
later 250000
exits "seventy hours are not enough" 5 "waits until" laptop device promote phone
check "the phone is ordinary" has phone '.administrator == false'
later 12000
check "after 72 hours it is done" laptop device promote phone
check "the phone takes it" phone key list
check "it is an administrator's" has phone '.administrator'
check "both say so" sh -c "HALFKEY_HOME=$DIR/laptop halfkey device list --json | jq -e '[.[] | select(.administrator)] | length == 2'"
check "the phone makes a key" phone key create fresh --suite ed25519
check "the laptop gets it" sh -c "for i in 1 2 3 4; do HALFKEY_HOME=$DIR/laptop halfkey; HALFKEY_HOME=$DIR/phone halfkey; HALFKEY_HOME=$DIR/laptop halfkey sign --key fresh --format raw $DIR/clock -o $DIR/sig && exit 0; sleep 0.3; done; exit 1"
check "the laptop makes one too" laptop key create fresher --suite x25519
# --- a second administrator approves ---
exits "the phone promotes the tablet: it waits" 5 "waits until" phone device promote tablet
check "the laptop approves" laptop changes approve promote tablet
exits "the tablet has its keys from the laptop" 1 "asks another" phone device promote tablet
check "which does it at once" laptop device promote tablet
check "the tablet takes it" tablet key list
check "three administrators" has tablet '.administrator'
# --- suspended, in return, cancelled ---
exits "the end of an administrator waits" 5 "waits until" laptop device revoke phone
check "a suspension does not" laptop device suspend phone
exits "the suspended one makes no keys" 4 "suspended" phone key create more --suite ed25519
exits "nor approves" 4 "suspended" phone changes approve revoke phone
check "but cancels" phone changes cancel revoke phone
check "so nothing waits" is "$(waiting tablet)" ""
exits "it cannot stop an ordinary device or resume itself" 4 "suspended" phone device resume laptop
check "and suspends in return" phone device suspend laptop
check "both are suspended" is "$(status_of laptop) $(status_of phone)" "suspended suspended"
exits "the first one is stopped too" 4 "suspended" laptop key create more --suite ed25519
check "a third resumes the phone" tablet device resume phone
check "and the laptop" tablet device resume laptop
# --- the end of an administrator, approved ---
exits "again: it waits" 5 "waits until" laptop device revoke phone
check "the tablet approves" tablet changes approve revoke phone
check "the phone is revoked" laptop device revoke phone
exits "it is" 4 "revoked" phone refresh
# --- another recovery set is slow as soon as somebody could object ---
exits "a recovery set waits" 5 "waits until" laptop recovery create --threshold 2 --shares 3 --out "$DIR/shares"
check "no share is left of it" test ! -e "$DIR/shares/share-1.txt"
check "the tablet sees it" shows tablet "WAITS: 'laptop' puts another recovery set"
check "and approves" tablet changes approve recovery laptop
check "then it is made" laptop recovery create --threshold 2 --shares 3 --out "$DIR/shares"
exits "for one set: the next one waits again" 5 "waits until" laptop recovery create --threshold 2 --shares 3 --out "$DIR/more"
check "cancelled" tablet changes cancel recovery laptop
# --- the laptop is stolen; the tablet is awake ---
exits "to promote it he has to wait" 5 "waits until" laptop device promote thief
exits "for a recovery set of his own too" 5 "waits until" laptop recovery create --threshold 2 --shares 2 --out "$DIR/his"
exits "and for the end of the other administrator" 5 "waits until" laptop device revoke tablet
check "the tablet sees all three" is "$(waiting tablet)" "promote:thief recovery:laptop revoke:tablet"
check "he suspends it" laptop device suspend tablet
check "it cancels the one" tablet changes cancel revoke tablet
check "and stops him" tablet device suspend laptop
exits "he can do nothing more" 4 "suspended" laptop device promote thief
check "the owner ends the laptop with its printed code" halfkey revoke --service "$address" --code "$(sed -n 's/^    \(\([a-z]* \)\{11\}[a-z]*\)$/\1/p' "$DIR/laptop/revoke-laptop.txt")"
later 300000
check "what he had asked for is gone with it" is "$(sqlite3 "file:$DIR/service/store.db?mode=ro" 'SELECT count(*) FROM changes')" 0
exits "his laptop is revoked" 4 "revoked" laptop refresh
check "his device is not an administrator's" has thief '.administrator == false'
# The tablet is still suspended, and nobody is left to resume it: recovery outranks all.
check "recovery outranks all" env HALFKEY_HOME="$DIR/new" halfkey recover --service "$address" --device new --no-passphrase --share "$DIR/shares/share-1.txt" --share "$DIR/shares/share-2.txt"
exits "the thief's device is revoked by it" 4 "revoked" thief refresh
HALFKEY_HOME=$DIR/new halfkey agent --stop >/dev/null 2>&1
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
