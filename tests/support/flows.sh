# Sourced by tests/e2e/kills.sh and cuts.sh: worlds, flows, and what must hold after each, for the programs with seams.
#   act      the flow's command, which may be cut short anywhere       again    the same command, which must come to its end
#   holds    what must be true then, beside what settled checks after every flow: log, store, devices, no half-made key
set -u; umask 077
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}/test" && pwd)
DIR=$(mktemp -d /tmp/hk-flows.XXXXXX)
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY HALFKEY_HOME HK_CRASH HK_CUT HK_PASSED
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root # the folders are ours
trap 'jobs -p | xargs -r kill 2>/dev/null; wait 2>/dev/null; for W in "$DIR"/*; do kill_agents; done; rm -rf "$DIR"' EXIT

# ---- a world: a service and two homes in $W. Fixed paths, so that a copy of it is as good as itself ----
# Who dies, and at which passage of which seam; or whose network is cut, and at which frame. `lever` is the variable that says so.
victim=none seam= service= lever=
as() { # WHO COMMAND...: as this device, or as the service
    local who=$1; shift
    local -x HALFKEY_HOME=$W/$who
    if [ "$who" = "$victim" ]; then local -x "$lever=$seam" HK_PASSED=$W/passed.$who; fi
    "$@"
}
laptop() { as laptop timeout 60 halfkey "$@" </dev/null; }
phone() { as phone timeout 60 halfkey "$@" </dev/null; }
# Starts the service; in a flow in which it is to die it may do so before it is ready.
serve() {
    : >"$W/ready"
    (as service exec halfkeyd --data "$W/service" --listen "ipc://$W/socket" >"$W/ready" 2>>"$W/service.log") &
    service=$!; echo $service >"$W/pid"
    for _ in $(seq 500); do
        grep -q '^halfkeyd ready' "$W/ready" && { address=$(sed -n 's/^halfkeyd ready //p' "$W/ready"); return 0; }
        kill -0 "$service" 2>/dev/null || { wait "$service" 2>/dev/null; return 1; }
        sleep 0.01
    done
    return 1
}
# A number in a file may be another process's by now: only what works in our folder is ours.
is_ours() { [ -n "$1" ] && grep -qsF "$DIR" "/proc/$1/cmdline" "/proc/$1/environ"; }
stop() { # also one that a subshell has started
    service=$(cat "$W/pid" 2>/dev/null) && rm "$W/pid" || return 0
    is_ours "$service" && kill "$service" 2>/dev/null; wait "$service" 2>/dev/null
    while is_ours "$service"; do sleep 0.01; done
}
# Ends the agents at once, as a crash does; nothing may depend on their end.
kill_agent() {
    local pid; pid=$(cut -d' ' -f1 "$W/$1/lock" 2>/dev/null)
    is_ours "$pid" && kill -9 "$pid"
    # One that is still dying would take the next command's connection with it.
    [ ! -e "$W/$1/lock" ] || { flock -w 10 "$W/$1/lock" true; sleep 0.02; }
    rm -f "$W/$1/lock"
}
kill_agents() { kill_agent laptop; kill_agent phone; }

enrol() { # invites, joins and approves; true if the phone says that it is enrolled
    local code words
    code=$(laptop device invite 2>>"$W/out" | grep -o 'halfkey-join:[^ ]*' | head -n 1)
    [ -n "$code" ] || return 1
    echo "$code" >"$W/code"
    : >"$W/join"
    phone device join "$code" --device phone --no-passphrase >"$W/join" 2>>"$W/out" & local joining=$!
    for _ in $(seq 400); do
        words=$(sed -n 's/^words: //p' "$W/join")
        if [ -n "$words" ] || ! kill -0 $joining 2>/dev/null; then break; fi
        sleep 0.02
    done
    words=$(sed -n 's/^words: //p' "$W/join")
    if [ -z "$words" ]; then kill $joining 2>/dev/null; wait $joining; return 1; fi
    as laptop timeout 15 halfkey device approve --words "$words" </dev/null >>"$W/out" 2>&1 # a killed phone never comes
    local approved=$?
    # Without a yes nothing comes: the phone's user gives up. Its agent is told by the end of the connection.
    if [ $approved != 0 ] && kill -0 $joining 2>/dev/null; then sleep 0.7; kill $joining 2>/dev/null; fi
    wait $joining && [ $approved = 0 ]
}
key() { laptop key create "$1" --suite "$2" >>"$W/out" 2>&1; }
decrypts() { # WHO: what was encrypted to the key `files` before
    [ "$("$1" decrypt --key files "$W/sealed.age" 2>>"$W/out")" = secret ]
}
devices() { laptop device list --json 2>>"$W/out" | jq -r '[.[] | .name + ":" + .status] | sort | join(" ")'; }

# ---- the flows ----
init_act() { laptop init --service "$address" --device laptop --no-passphrase >>"$W/out" 2>&1; }
init_again() { init_act; }
init_holds() { key later x25519 && [ -s "$W/laptop/revoke-laptop.cert" ] && [ -s "$W/laptop/revoke-laptop.txt" ] && [ "$(devices)" = laptop:active ]; }

create_act() { key new ed25519; }
# A key that was finished after the kill exists, and the same command says so.
exists() { laptop key list --json 2>>"$W/out" | jq -e ".[] | select(.name == \"$1\")" >>"$W/out"; }
create_again() { create_act || { grep -q "there is a key 'new' already" "$W/out" && exists new; }; }
signs() { echo text >"$W/text"; laptop sign --key "$1" --format ssh "$W/text" >>"$W/out" 2>&1 && laptop verify --key "$1" --format ssh "$W/text" >>"$W/out" 2>&1; }
create_holds() { signs new; }

# The world has the service's ring, whose safe primes take long on a busy machine; the key's own primes do not.
make_ecdsa() { as laptop timeout "$2" halfkey key create "$1" --suite secp256k1-ecdsa </dev/null >>"$W/out" 2>&1; }
ecdsa_act() { make_ecdsa coin 60; }
ecdsa_again() { ecdsa_act || { grep -q "there is a key 'coin' already" "$W/out" && exists coin; }; }
ecdsa_holds() { laptop sign --key coin --format raw "$W/stock" >"$W/sig" 2>>"$W/out" && [ -s "$W/sig" ]; }

# A key made after the phone joined: handed over, and used there.
phone_signs() { phone sign --key "$1" --format raw "$W/stock" >"$W/sig" 2>>"$W/out" && [ -s "$W/sig" ]; }
hand_act() { key new ed25519; phone_signs new; }
hand_again() { create_again && phone_signs new; }
hand_holds() { signs new && phone_signs new && decrypts phone && phone log --verify >>"$W/out" 2>&1; }

rotate_act() { laptop key rotate work --as new >>"$W/out" 2>&1; }
rotate_again() { rotate_act || { grep -q "there is a key 'new' already" "$W/out" && exists new; }; }
rotate_holds() { signs new && laptop key link new -o "$W/link" >>"$W/out" 2>&1 && laptop verify --key work --format raw --signature "$W/link.sig" "$W/link" >>"$W/out" 2>&1; }

delete_act() { laptop key delete work --yes >>"$W/out" 2>&1; }
delete_again() { delete_act || grep -q "there is no key 'work'" "$W/out"; }
delete_holds() { ! exists work && decrypts laptop && ! phone sign --key work --format raw "$W/stock" >>"$W/out" 2>&1 && decrypts phone; }

shares_act() { laptop recovery create --threshold 2 --shares 3 --out "$W/again" >>"$W/out" 2>&1; }
shares_again() { # another set would wait for three days
    if shares_exist; then laptop recovery export --output "$W/set.$RANDOM" >>"$W/out" 2>&1; else rm -rf "$W/again"; shares_act; fi
}
shares_exist() { laptop --json 2>>"$W/out" | jq -e '.recovery.keys == 2' >>"$W/out"; }
shares_holds() { shares_exist && laptop recovery test "$W/again/share-2.txt" >>"$W/out" 2>&1; }

# On the phone's home, which is empty; the laptop's account comes back there. The laptop is gone afterwards.
recover_act() { phone recover --service "$address" --device phone --no-passphrase --share "$W/shares/share-1.txt" --share "$W/shares/share-3.txt" >>"$W/out" 2>&1; }
recover_again() { recover_act || { grep -q "there is an account here already" "$W/out" && decrypts phone; }; }
recover_holds() {
    decrypts phone && phone log --verify >>"$W/out" 2>&1 && [ -s "$W/phone/revoke-phone.cert" ] || return 1
    laptop decrypt --key files "$W/sealed.age" >>"$W/out" 2>&1; [ $? = 4 ] || return 1
    kill_agents; rm -rf "$W/laptop"; mv "$W/phone" "$W/laptop"; mkdir -m 700 "$W/phone"
}

import_act() { as laptop timeout 20 halfkey key import old --format age-identity - <"$W/stock" >>"$W/out" 2>&1; }
import_again() { import_act || { grep -q "there is a key 'old' already" "$W/out" && exists old; }; }
import_holds() { [ "$(laptop decrypt --key old "$W/stock.age" 2>>"$W/out")" = secret ]; }

join_act() { enrol; }
join_again() {
    # The phone's command again, with a code that is used up: it goes on from what is stored, or says that nothing is.
    phone device join "$(cat "$W/code" 2>/dev/null || echo none)" --device phone --no-passphrase >>"$W/out" 2>&1
    laptop device list >>"$W/out" 2>&1
    decrypts phone || enrol
}
listed() { # an administrator that still waits sees the new device in less than a second
    for _ in $(seq 50); do [ "$(devices)" = "$1" ] && return 0; sleep 0.1; done; return 1
}
join_holds() {
    decrypts phone && listed "laptop:active phone:active" || return 1
    [ -s "$W/phone/revoke-phone.cert" ] && laptop refresh >>"$W/out" 2>&1 && signs work
}

refresh_act() { laptop refresh >>"$W/out" 2>&1; }
refresh_again() { refresh_act; }
refresh_holds() { signs work; }

rename_act() { laptop device rename phone telephone >>"$W/out" 2>&1; }
rename_again() { rename_act || grep -q "there is a device 'telephone' already" "$W/out"; }
rename_holds() { [ "$(devices)" = "laptop:active telephone:active" ]; }

own_act() { laptop device rename laptop desk >>"$W/out" 2>&1; }
own_again() { own_act || grep -q "there is a device 'desk' already" "$W/out"; }
own_holds() { [ "$(devices)" = "desk:active" ] && [ "$(laptop --json | jq -r .device)" = desk ]; }

# A key whose making a crash cut short, voided; an enrolment that is still open, ended by another; a refresh that the
# service has dropped, begun anew.
void_act() { create_act; }; void_again() { create_again; }; void_holds() { create_holds; }
reinvite_act() {
    local victim_now=$victim seam_now=$seam
    cut_short enrol/sent enrol
    victim=$victim_now seam=$seam_now
    enrol
}
 reinvite_again() { join_again; }; reinvite_holds() { join_holds; }
drop_act() { refresh_act; }; drop_again() { refresh_act; }; drop_holds() { refresh_holds; }

open_with() { echo "$1" | as laptop halfkey unlock --passphrase-fd 0 >>"$W/out" 2>&1; }
passphrase_act() { laptop list >/dev/null 2>&1; echo horse | as laptop timeout 20 halfkey passphrase --passphrase-fd 0 >>"$W/out" 2>&1; }
passphrase_again() { open_with horse && laptop key list >>"$W/out" 2>&1 && is_sealed || passphrase_act; }
is_sealed() { laptop lock && ! laptop key list >>"$W/out" 2>&1 && open_with horse; }
passphrase_holds() { is_sealed && decrypts laptop; }

revoke_act() { laptop device revoke phone >>"$W/out" 2>&1; }
revoke_again() { revoke_act || grep -q "no device 'phone'" "$W/out"; }
revoke_holds() { phone decrypt --key files "$W/sealed.age" >>"$W/out" 2>&1; [ $? = 4 ] && [[ $(devices) =~ ^"("[0-9a-f]{8}"):revoked laptop:active"$ ]]; }

stranger_act() { as stranger timeout 20 halfkey revoke --certificate "$W/phone/revoke-phone.cert" --service "$address" >>"$W/out" 2>&1; }
stranger_again() { stranger_act; }
stranger_holds() { phone decrypt --key files "$W/sealed.age" >>"$W/out" 2>&1; [ $? = 4 ] && [ "$(devices)" = "laptop:active phone:revoked" ]; }

use_act() { decrypts laptop && signs work; }
use_again() { use_act; }
use_holds() { true; }

# The phone takes over what the laptop has signed since it joined.
follow_act() { phone --json >>"$W/out" 2>&1; }
follow_again() { follow_act; }
follow_holds() { [ "$(phone --json 2>>"$W/out" | jq .devices)" = 2 ] && decrypts phone; }

# The first start of a service, and every later one.
start_act() { stop; serve; }
start_again() { kill -0 "$service" 2>/dev/null || serve; }
start_holds() { if [ -e "$W/sealed.age" ]; then decrypts laptop; else init_act; fi; }
# A database from before a revocation, put back: quarantine until it is adopted.
adopt_act() { as service halfkeyd adopt-restore --data "$W/service" >>"$W/out" 2>&1; }
adopt_again() { adopt_act || grep -q 'nothing to adopt\|fit together' "$W/out"; serve; }
adopt_holds() { laptop log accept --yes >>"$W/out" 2>&1; decrypts laptop && phone decrypt --key files "$W/sealed.age" >>"$W/out" 2>&1; [ $? = 4 ]; }

# ---- what must hold after every flow ----
sql() { sqlite3 "file:$W/service/store.db?mode=ro" "$1"; }
settled() {
    laptop log --verify >>"$W/out" 2>&1 || { echo "  the log does not verify"; return 1; }
    [ "$(laptop --json 2>>"$W/out" | jq -r .state)" = unlocked ] || { echo "  the laptop is not set up to its end"; return 1; }
    laptop key list --json 2>>"$W/out" | jq -r '.[].id' | sort >"$W/keys"
    stop; kill_agents
    halfkeyd check --data "$W/service" >"$W/check" 2>&1 || { echo "  halfkeyd check:"; cat "$W/check"; return 1; }
    sql "SELECT lower(hex(id)) FROM keys WHERE purpose <> 3 ORDER BY 1" | cmp -s - "$W/keys" || { echo "  the two sides do not have the same keys"; return 1; }
    # Every device that lives has a half of every key (the account's: administrators alone), at its epoch; no other has any.
    [ -z "$(sql "SELECT d.name FROM devices d WHERE (SELECT count(*) FROM halves h WHERE h.device = d.number AND h.epoch = d.epoch) <>
        (SELECT count(*) FROM keys k WHERE k.account = d.account AND (k.purpose <> 3 OR d.role = 1)) * (d.state <> 3)
        OR EXISTS (SELECT 1 FROM halves h WHERE h.device = d.number AND h.epoch <> d.epoch) OR d.state NOT IN (1, 3)
        UNION ALL SELECT 'pending' FROM pending")" ] || { echo "  half-made: $(sql 'SELECT name, state, epoch, pending_epoch FROM devices')"; return 1; }
}

report() { # WHAT PROBLEM
    stop; kill_agents
    if [ -z "$2" ]; then echo "ok    $1"; return 0; fi
    echo "FAIL  $1"; echo "$2"; tail -n 12 "$W/out" | sed 's/^/  | /'; tail -n 3 "$W/service.log" | sed 's/^/  | /'; return 1
}

# ---- the worlds: made at the path at which they are used, since it is in their addresses ----
keep() { stop; kill_agents; cp -a "$W" "$WORLDS/$1"; [ -z "${2:-}" ] || : >"$WORLDS/$1/stopped"; }
cut_short() { # SEAM COMMAND...: on the laptop
    victim=laptop seam=$1; shift
    "$@"; kill_agent laptop; rm -f "$W/passed.laptop"; victim=none
}
build() {
    mkdir -p "$WORLDS" "$W/laptop" "$W/phone"; chmod 700 "$W" "$W/laptop" "$W/phone"; : >"$W/out"
    age-keygen -o "$W/stock" 2>/dev/null; echo secret | age -r "$(age-keygen -y "$W/stock")" -o "$W/stock.age"
    keep none stopped; [ "$1" != none ] || return 0
    serve || return 1; keep empty; [ "$1" != empty ] || return 0
    serve && init_act && key files x25519 && key work ed25519 || { cat "$W/out"; return 1; }
    echo secret | age -r "$(laptop key export files --format age)" -o "$W/sealed.age" || return 1
    keep one; [ "$1" != one ] || return 0
    case $1 in
    ringed) serve && make_ecdsa first 300 || { cat "$W/out"; return 1; }; keep ringed; return ;;
    # crashes, kept as they are
    shared) serve; laptop recovery create --threshold 2 --shares 3 --out "$W/shares" >>"$W/out" 2>&1 || return 1; keep shared; return ;;
    half) serve; cut_short keygen.pending/after key new x25519; keep half; return ;;
    dropped) serve; cut_short refresh.next/after refresh_act; keep dropped
        sqlite3 "$WORLDS/dropped/service/store.db" "DELETE FROM halves WHERE epoch = 2; DELETE FROM pending; UPDATE devices SET pending_epoch = 0"
        return ;;
    esac
    serve && enrol || { cat "$W/out"; return 1; }
    keep two; [ "$1" != two ] || return 0
    cp -a "$W/service" "$W/backup"; serve && revoke_act || return 1
    stop; rm -f "$W"/service/store.db*; cp "$W"/backup/store.db* "$W/service/"; keep restored stopped
}

# ---- for the scripts that try each of many faults in each flow, a part of them at a time ----
says_why() { grep -qE '^(halfkey|error)[^:]*: .{15,}' "$W/out"; }
# Of the device whose network was cut: a half that works, no suspicion, and a log that the service and the device agree on.
restarted() {
    stop; kill_agents; serve || { echo "  the service does not start again"; return 1; }
    ! grep -iE '^halfkey: .*(suspended|old copy|stale|internal)' "$W/out" || { echo "  that was said"; return 1; }
    settled
}
# Which of so many: every case at HK_SCALE=100. Counts in `i`, which begins at another number for each flow.
is_tried() { i=$((i + 1)); [ $((i * scale / 100)) != $(((i - 1) * scale / 100)) ]; }
# run_flows [FLOW...]: run_flow FLOW WORLD WHO for each line of $flows, some at a time; the last line is N passed, N failed
run_flows() {
    local line flow world victims who passed failed
    first=0
    for line in $flows; do
        IFS=: read -r flow world victims <<<"$line"
        [ $# = 0 ] || [[ " $* " == *" $flow "* ]] || continue
        for who in ${victims//,/ }; do
            first=$((first + 37))
            while [ "$(jobs -rp | wc -l)" -ge "${HK_JOBS:-4}" ]; do wait -n; done
            run_flow "$flow" "$world" "$who" >"$DIR/said.$flow.$world.$who" 2>&1 &
        done
    done
    wait
    cat "$DIR"/said.*
    passed=$(cat "$DIR"/said.* | grep -c '^ok '); failed=$(cat "$DIR"/said.* | grep -c '^FAIL ')
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
