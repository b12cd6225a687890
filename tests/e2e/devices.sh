#!/bin/bash
# Devices come and go, with the programs that ship: enrolment, wrong words, names, the three ways to revoke, passphrases,
# locking, refresh by hand and by itself; each exit code; each --json through jq. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-devices.XXXXXX)
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root # the folders are ours
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY HALFKEY_HOME
passed=0; failed=0; service=
homes="laptop phone tablet desk"
clean_up() {
    for home in $homes; do HALFKEY_HOME=$DIR/$home halfkey agent --stop >/dev/null 2>&1; done
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
laptop() { HALFKEY_HOME=$DIR/laptop timeout 30 halfkey "$@"; }
phone() { HALFKEY_HOME=$DIR/phone timeout 30 halfkey "$@"; }
tablet() { HALFKEY_HOME=$DIR/tablet timeout 30 halfkey "$@"; }
desk() { HALFKEY_HOME=$DIR/desk timeout 30 setsid -w halfkey "$@" </dev/null; }
nobody() { HALFKEY_HOME=$DIR/nobody timeout 30 halfkey "$@"; }
# check WHAT COMMAND...: it must succeed.
check() {
    local what=$1; shift
    if "$@" >"$DIR/out" 2>"$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $?"; tail -n 5 "$DIR/out" "$DIR/err"; fi
}
# exits WHAT STATUS WORD COMMAND...: it must end with that status and say WORD.
exits() {
    local what=$1 status=$2 word=$3; shift 3
    "$@" >"$DIR/out" 2>"$DIR/err" </dev/null
    local got=$?
    if [ "$got" = "$status" ] && grep -qi -- "$word" "$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $got, not $status"; tail -n 5 "$DIR/out" "$DIR/err"; fi
}
# json WHAT FILTER COMMAND...: what it prints must be JSON of which the filter is true.
json() {
    local what=$1 filter=$2; shift 2
    check "$what" sh -c "jq -e '$filter' <'$DIR/json'" -- "$("$@" >"$DIR/json" 2>"$DIR/err")"
}
serve() {
    : >"$DIR/ready"
    halfkeyd --data "$DIR/service" --listen "ipc://$DIR/socket" >"$DIR/ready" 2>>"$DIR/service.log" & service=$!
    for _ in $(seq 500); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.02; done
    address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
}
stop() { kill "$service"; wait "$service" 2>/dev/null; service=; }
# begin_join WHO NAME: invites, and leaves the new device waiting with its words in $words
begin_join() {
    code=$(laptop device invite 2>/dev/null | grep -o 'halfkey-join:[^ ]*' | head -n 1)
    : >"$DIR/join"
    "$1" device join "$code" --device "$2" --no-passphrase >"$DIR/join" 2>"$DIR/join.err" & joining=$!
    words=
    for _ in $(seq 500); do words=$(sed -n 's/^words: //p' "$DIR/join"); [ -z "$words" ] || break; sleep 0.02; done
}
enrol() { begin_join "$1" "$2"; laptop device approve --words "$words" >/dev/null && wait $joining; }
names() { laptop device list --json | jq -r '[.[] | .name + ":" + .status] | sort | join(" ")'; }
is() { [ "$1" = "$2" ] || { echo "got '$1', not '$2'"; return 1; }; }
decrypts() { is "$("$1" decrypt --key files "$DIR/sealed.age" 2>&1)" secret; }
epoch() { laptop --json | jq .epoch; }
sentence() { sed -n 's/^    \([a-z ]*\)$/\1/p' "$1" | head -n 1; }

serve
# --- exit codes 0 to 5, and JSON of everything that prints data ---
json "init as JSON" '(.account | startswith("M")) and (.code | split(" ") | length == 12)' laptop init --service "$address" --device laptop --no-passphrase --json
json "a key as JSON" '.suite == "x25519" and (.recipient | startswith("age1"))' laptop key create files --suite x25519 --json
json "a key to sign with" '.ssh | startswith("ssh-ed25519 ")' laptop key create work --suite ed25519 --json
json "keys as JSON" 'length == 2' laptop key list --json
json "the state as JSON" '.state == "unlocked" and .devices == 1' laptop --json
json "devices as JSON" '.[0].name == "laptop" and .[0].this_device' laptop device list --json
json "the log as JSON" 'length > 3' laptop log --json
json "the log verified, as JSON" '.generation == 1' laptop log --verify --json
json "an agreement as JSON" 'length == 1' laptop agree --key files --json "09$(printf '%062d' 0)"
json "an import as JSON" '.suite == "x25519"' sh -c "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' | HALFKEY_HOME=$DIR/laptop halfkey key import old --format raw --json -"
echo secret | age -r "$(laptop key export files --format age)" -o "$DIR/sealed.age"
check "exit 0: done" decrypts laptop
exits "exit 1: refused" 1 "no x25519 key" laptop decrypt --key nothing "$DIR/sealed.age"
exits "exit 2: wrong usage" 2 "suite" laptop key create more
stop
exits "exit 3: the service is not there" 3 "reached" laptop decrypt "$DIR/sealed.age"
serve
# --- enrolment ---
begin_join phone phone
exits "wrong words: the administrator refuses" 1 "not the same words" laptop device approve --words "badab badab badab badab badab badab"
check "and the new device is told" sh -c "! wait $joining 2>/dev/null"
wait $joining; check "with exit 1" is $? 1
check "it says why" grep -q "said no" "$DIR/join.err"
check "nothing is enrolled" is "$(names)" "laptop:active"
exits "the code is used up" 1 "" phone device join "$code" --device phone --no-passphrase
check "the right words enrol it" enrol phone phone
check "both are listed" is "$(names)" "laptop:active phone:active"
check "it decrypts" decrypts phone
exits "an ordinary device makes no keys" 1 "administrator" phone key create mine --suite x25519
exits "nor invites" 1 "administrator" phone device invite
exits "a second join is refused" 1 "already" phone device join "$code" --device other --no-passphrase
# --- what the new device learns of what the administrator does later ---
json "it knows of two devices" '.devices == 2' phone --json
check "a key made later" laptop key create later --suite x25519
json "is there too, with a half of its own" '[.[] | select(.here) | .name] | index("later") != null' phone key list --json
check "the state says so" sh -c "HALFKEY_HOME=$DIR/phone halfkey | grep 'later' | grep -v 'no half here'"
exits "and opens only what is for it" 1 "" phone decrypt --key later "$DIR/sealed.age"
check "its agent ends" phone agent --stop
check "meanwhile another name" laptop device rename phone mobile
json "a new agent knows it at once" '.device == "mobile"' phone --json
check "the first name again" laptop device rename mobile phone
# --- names ---
check "rename" laptop device rename phone pocket
check "it is listed so" is "$(names)" "laptop:active pocket:active"
exits "a name that is taken" 1 "already" laptop device rename pocket laptop
exits "a name that nobody has" 1 "no device" laptop device rename none other
# --- the three ways to revoke ---
check "revoke by name" laptop device revoke pocket
exits "exit 4: revoked" 4 "revoked" phone decrypt --key files "$DIR/sealed.age"
check "a second device, by its certificate" enrol tablet tablet
cp "$DIR/tablet/revoke-tablet.cert" "$DIR/cert"
exits "a file that is no certificate" 1 "not a revocation certificate" nobody revoke --certificate "$DIR/sealed.age" --service "$address"
check "from a machine with no state" nobody revoke --certificate "$DIR/cert" --service "$address"
check "which still has none" test ! -e "$DIR/nobody"
exits "it is dead" 4 "revoked" tablet decrypt --key files "$DIR/sealed.age"
check "twice changes nothing" nobody revoke --certificate "$DIR/cert" --service "$address"
HALFKEY_HOME=$DIR/tablet halfkey agent --stop; rm -rf "$DIR/tablet"
begin_join tablet tablet2
json "the same machine under another serial, as JSON" '.device == "tablet2" and (.code | split(" ") | length == 12)' laptop device approve --words "$words" --json
check "which is told" wait $joining
check "it decrypts again" decrypts tablet
code_words=$(sentence "$DIR/tablet/revoke-tablet2.txt")
json "join, given again, as JSON" ".device == \"tablet2\" and .code == \"$code_words\" and (.account | startswith(\"M\"))" tablet device join "$code" --device tablet2 --json
exits "a code with a word changed" 2 "word" nobody revoke --code "xxxxx ${code_words#* }" --service "$address"
check "by its printed code" nobody revoke --code "$code_words" --service "$address"
exits "it is dead too" 4 "revoked" tablet decrypt --key files "$DIR/sealed.age"
exits "an administrator is not ended by name" 5 "printed code" laptop device revoke laptop
check "the laptop goes on" decrypts laptop
check "and makes keys, though others have ended devices that its profile lists" laptop key create after --suite x25519
# --- passphrase, lock, unlock, timeout ---
with() { local words=$1; shift; printf '%b' "$words" | HALFKEY_HOME=$DIR/desk timeout 30 halfkey "$@" --passphrase-fd 0; }
check "a device with a passphrase" with 'correct horse\n' init --service "$address" --device desk
check "its key" desk key create files --suite x25519
check "lock" desk lock
exits "exit 5: locked" 5 "unlock" desk key create more --suite x25519
exits "a wrong passphrase" 1 "passphrase" with 'wrong\n' unlock
check "unlock" with 'correct horse\n' unlock
check "change the passphrase" with 'correct horse\nbattery staple\n' passphrase
exits "the old one opens nothing" 1 "" sh -c "HALFKEY_HOME=$DIR/desk halfkey lock; ! printf 'correct horse\n' | HALFKEY_HOME=$DIR/desk halfkey unlock --passphrase-fd 0 || exit 0; echo refused >&2; exit 1"
check "the new one does" with 'battery staple\n' unlock
check "the agent ends" desk agent --stop
HALFKEY_HOME=$DIR/desk HALFKEY_TIMEOUT=4 halfkey agent --print-socket >/dev/null 2>&1
check "with a timeout of four seconds" with 'battery staple\n' unlock
check "it is open" desk key list
sleep 6
exits "and locked by itself" 5 "unlock" desk key list
# --- refresh, by hand and by itself ---
before=$(epoch); json "refresh, as JSON" ".epoch == $((before + 1))" laptop refresh --json
check "an epoch further" is "$(epoch)" $((before + 1))
check "the keys are the same" decrypts laptop
laptop agent --stop; before=$(epoch); laptop agent --stop
HALFKEY_REFRESH_USES=4 laptop agent --print-socket >/dev/null
wrong=0; for _ in $(seq 12); do decrypts laptop >/dev/null || wrong=$((wrong + 1)); sleep 0.1; done
check "while the halves change, nothing fails" is $wrong 0
for _ in $(seq 50); do [ "$(epoch)" -gt "$before" ] && break; sleep 0.1; done
check "after four uses the epoch is another" test "$(epoch)" -gt "$before"
laptop agent --stop; before=$(epoch); laptop agent --stop
HALFKEY_REFRESH_TIME=1 laptop agent --print-socket >/dev/null; decrypts laptop >/dev/null
for _ in $(seq 50); do sleep 0.1; [ "$(epoch)" -gt $((before + 1)) ] && break; done
check "and after each second, with that setting" test "$(epoch)" -gt $((before + 1))
laptop agent --stop; HALFKEY_REFRESH_TIME=0 HALFKEY_REFRESH_USES=0 laptop agent --print-socket >/dev/null; before=$(epoch)
for _ in $(seq 5); do decrypts laptop >/dev/null; done; sleep 0.6
check "0 is never" is "$(epoch)" "$before"
exits "a setting that is none" 2 "refresh-uses" laptop agent --refresh-uses often
check "the log verifies" laptop log --verify
stop
check "and the store is whole" halfkeyd check --data "$DIR/service"
json "which it says as JSON" 'all(.[]; .problem == false)' halfkeyd check --data "$DIR/service" --json
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
