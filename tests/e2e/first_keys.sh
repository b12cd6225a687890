#!/bin/bash
# First keys: a real service, a device, stock age and ssh-keygen. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-first-keys.XXXXXX)
export PATH="$BIN:$PATH" HALFKEY_HOME="$DIR/device"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY
export XDG_CONFIG_HOME="$DIR/config"
passed=0; failed=0; service=
clean_up() {
    halfkey agent --stop >/dev/null 2>&1
    HALFKEY_HOME=$DIR/sealed halfkey agent --stop >/dev/null 2>&1
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
# check WHAT COMMAND...: it must succeed.
check() {
    local what=$1; shift
    if "$@" >"$DIR/out" 2>"$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what"; tail -n 5 "$DIR/out" "$DIR/err"; fi
}
# exits WHAT STATUS WORD COMMAND...: it must end with that status and say WORD.
exits() {
    local what=$1 status=$2 word=$3; shift 3
    "$@" >"$DIR/out" 2>"$DIR/err" </dev/null
    local got=$?
    if [ "$got" = "$status" ] && grep -qi -- "$word" "$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $got, not $status"; tail -n 5 "$DIR/out" "$DIR/err"; fi
}
start_service() {
    : >"$DIR/ready"
    halfkeyd --data "$DIR/service" --listen "tcp://127.0.0.1:${port:-0}" >"$DIR/ready" 2>>"$DIR/service.log" &
    service=$!
    for _ in $(seq 200); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.05; done
    address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready"); port=${address##*:}
}
stop_service() { kill "$service"; wait "$service" 2>/dev/null; service=; }
has() { grep -q -- "$1" "$2"; }
prints() { local want=$1; shift; [ "$("$@" 2>/dev/null)" = "$want" ]; }

start_service
[ -n "$address" ] || { echo "halfkeyd does not start"; cat "$DIR/service.log"; echo "0 passed, 1 failed"; exit 1; }

# --- the service says where it is ---
exits "no service, no address" 1 "starts one" halfkeyd address --data "$DIR/nowhere"
check "port 0 is a free one" test "$port" -gt 0
check "one line says where it is" test "$(wc -l <"$DIR/ready")" = 1
check "it says who can reach it" has "only this machine can reach it" "$DIR/service.log"
check "halfkeyd address prints it again" prints "$address" halfkeyd address --data "$DIR/service"
exits "a second instance is refused" 1 "another halfkeyd" halfkeyd --data "$DIR/service" --listen tcp://127.0.0.1:0
exits "the whole network, but not who may come" 2 "--registration" halfkeyd --data "$DIR/elsewhere" --listen tcp://0.0.0.0:0
check "nothing was made for it" test ! -e "$DIR/elsewhere"
halfkeyd --data "$DIR/any" --listen tcp://0.0.0.0:0 --registration closed >"$DIR/any.ready" 2>"$DIR/any.log" & any=$!
for _ in $(seq 200); do grep -q '^halfkeyd ready' "$DIR/any.ready" && break; sleep 0.05; done
kill $any; wait $any 2>/dev/null
check "every interface: it says what devices can dial" has "say --public tcp://HOST:PORT" "$DIR/any.log"
check "the other one has nothing to say of that" sh -c "! grep -q -- --public '$DIR/service.log'"
for program in halfkeyd halfkey age-plugin-halfkey halfkey-bench halfkey-vectors; do
    check "$program --help" sh -c "$program --help | grep -q ^usage:"
done
# --- the agent's socket ---
mkdir -m 700 "$DIR/run"
socket() { HALFKEY_HOME=$1 halfkey agent --print-socket; }
socket_in_run() { HALFKEY_HOME=$1 XDG_RUNTIME_DIR=$DIR/run halfkey agent --print-socket; }
for place in socket socket_in_run; do
    [ $place = socket ] && run= under=$DIR/one/ || run=$DIR/run under=$DIR/run/
    one=$($place "$DIR/one"); two=$($place "$DIR/two")
    check "$place: nobody else reaches the agent" test "$(stat -c %a:%F "$one")" = 600:socket
    check "$place: it is where it belongs" test "${one#"$under"}" != "$one"
    check "$place: two homes have two names" test "${one##*/}" != "${two##*/}"
    check "$place: they end" sh -c "XDG_RUNTIME_DIR=$run HALFKEY_HOME=$DIR/one halfkey agent --stop && XDG_RUNTIME_DIR=$run HALFKEY_HOME=$DIR/two halfkey agent --stop"
    check "$place: and leave no socket" test ! -e "$one"
done
mkdir "$DIR/here"
relative() { (cd "$DIR/here" && HALFKEY_HOME=below halfkey agent "$@"); }
check "a home that is given from the current folder is there for the agent too" prints "$(cd "$DIR/here" && pwd -P)/below" \
    sh -c "cd $DIR/here && HALFKEY_HOME=below halfkey agent --print-socket | xargs dirname"
relative --stop
# --- usage needs no account ---
check "help lists the commands" halfkey --help
check "every command has help" halfkey key create --help
exits "an unknown command is wrong usage" 2 "no such command" halfkey nonsense
exits "a missing option is wrong usage" 2 "suite" halfkey key create a
exits "without an account a key cannot be made" 1 "init" halfkey key create a --suite x25519

# --- init ---
exits "a service that is not there cannot be reached" 3 "" \
    halfkey init --service "halfkey://$(echo "$address" | sed 's|halfkey://||; s|@.*||')@127.0.0.1:1" --device laptop --no-passphrase
check "init" halfkey init --service "$address" --device laptop --no-passphrase
cp "$DIR/out" "$DIR/init.out"
check "init says what is lost with this device" has "lost" "$DIR/init.out"
check "the revocation certificate is there" test -s "$HALFKEY_HOME/revoke-laptop.cert"
check "its printed form is there" test -s "$HALFKEY_HOME/revoke-laptop.txt"
check "state" halfkey
check "state as JSON" sh -c 'halfkey --json | jq -e ".device == \"laptop\" and .administrator"'
exits "a second init is refused" 1 "" halfkey init --service "$address" --device again --no-passphrase

# --- keys ---
check "make a key to decrypt" halfkey key create files --suite x25519
check "make a key to sign" halfkey key create work --suite ed25519
exits "a name is used once" 1 "" halfkey key create files --suite x25519
for name in "" "$(printf '%065d' 0)" "two
lines"; do
    exits "a name that is none: it says what one is" 1 "1 to 64 bytes" halfkey key create "$name" --suite x25519
done
check "list" sh -c 'halfkey key list --json | jq -e "length == 2"'
recipient=$(halfkey key export files --format age)
halfkey key export files --format age-identity >"$DIR/identity"
halfkey key export work --format ssh >"$DIR/work.pub"
check "the identity has comment lines" has "Recipient: $recipient" "$DIR/identity"

# --- files ---
for size in 0 1 65536 65537 1048576; do
    head -c "$size" /dev/urandom >"$DIR/plain"
    age -r "$recipient" -o "$DIR/sealed.age" "$DIR/plain"
    check "decrypt $size bytes from stock age" sh -c "halfkey decrypt '$DIR/sealed.age' -o '$DIR/opened' && cmp '$DIR/plain' '$DIR/opened'"
    check "stock age and the plugin decrypt $size bytes" sh -c "age -d -i '$DIR/identity' '$DIR/sealed.age' >'$DIR/opened2' && cmp '$DIR/plain' '$DIR/opened2'"
    rm -f "$DIR/opened" "$DIR/opened2"
done
check "armored, through pipes" sh -c "age -a -r '$recipient' <'$DIR/plain' | halfkey decrypt | cmp - '$DIR/plain'"
check "age -d -j halfkey" sh -c "age -d -j halfkey '$DIR/sealed.age' | cmp - '$DIR/plain'"
check "age -e -i identity" sh -c "age -e -i '$DIR/identity' '$DIR/plain' | halfkey decrypt | cmp - '$DIR/plain'"
check "age -e -j halfkey" sh -c "age -e -j halfkey '$DIR/plain' | halfkey decrypt --key files | cmp - '$DIR/plain'"
age-keygen -o "$DIR/stock.key" 2>/dev/null
stock=$(age-keygen -y "$DIR/stock.key")
check "stock age decrypts what halfkey encrypts" sh -c "halfkey encrypt -r '$stock' '$DIR/plain' | age -d -i '$DIR/stock.key' | cmp - '$DIR/plain'"
check "encrypt for an own key, as text" sh -c "halfkey encrypt --key files -a '$DIR/plain' | halfkey decrypt | cmp - '$DIR/plain'"
check "the plugin lists the recipient" sh -c "age-plugin-halfkey --list | grep -q '$recipient'"
check "the plugin prints the identity" sh -c "age-plugin-halfkey --identity | cmp - '$DIR/identity'"
check "the plugin makes a key" age-plugin-halfkey --generate --name more

# --- 256 MiB in constant memory: the peak of the command and of the agent, in KiB ---
peak() { sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }
head -c 268435456 /dev/zero | age -r "$recipient" -o "$DIR/large.age"
large=$(stat -c %s "$DIR/large.age")
mkfifo "$DIR/fifo"
halfkey decrypt "$DIR/fifo" -o "$DIR/large" & decrypting=$!
exec 8>"$DIR/fifo"
head -c $((large - 1)) "$DIR/large.age" >&8
command_peak=$(peak "$decrypting"); agent_peak=$(peak "$(cut -d" " -f1 "$HALFKEY_HOME/lock")")
tail -c 1 "$DIR/large.age" >&8; exec 8>&-
check "decrypt 256 MiB from a pipe" wait "$decrypting"
check "all of it" test "$(stat -c %s "$DIR/large")" = 268435456
check "the command stays below 64 MiB (${command_peak:-?} KiB)" test "${command_peak:-999999}" -lt 65536
check "so does the agent (${agent_peak:-?} KiB)" test "${agent_peak:-999999}" -lt 65536
rm -f "$DIR/large" "$DIR/large.age"

# --- twenty recipients cost one request ---
entries() { halfkey log --json --count 500 | jq '[.[] | select(.operation == "agree")] | length'; }
arguments=(); for _ in $(seq 19); do arguments+=(-r "$(age-keygen 2>/dev/null | age-keygen -y)"); done
age "${arguments[@]}" -r "$recipient" -o "$DIR/twenty.age" "$DIR/plain"
before=$(entries)
check "decrypt one of twenty" sh -c "halfkey decrypt --key files '$DIR/twenty.age' | cmp - '$DIR/plain'"
check "one use in the log" test "$(entries)" = $((before + 1))

# --- failures have names and leave nothing ---
age -r "$stock" -o "$DIR/other.age" "$DIR/plain"
exits "a file for somebody else" 1 "not encrypted to any" halfkey decrypt "$DIR/other.age" -o "$DIR/nothing"
check "no file is left" test ! -e "$DIR/nothing"
head -c 70000 "$DIR/sealed.age" >"$DIR/cut.age"
exits "a file that was cut off" 1 "cut off" halfkey decrypt "$DIR/cut.age" -o "$DIR/nothing"
check "no file is left of that either" test ! -e "$DIR/nothing"
check "the outcome as JSON" sh -c "halfkey decrypt --json '$DIR/cut.age' -o '$DIR/nothing' | jq -e '.outcome == \"payload failure\"'"
exits "a file that is not there" 1 "No such file" halfkey decrypt "$DIR/none.age"
exits "a key that is not there" 1 "no x25519 key" halfkey decrypt --key nothing "$DIR/sealed.age"

# --- import ---
check "import an identity from standard input" sh -c "halfkey key import old --format age-identity - <'$DIR/stock.key'"
check "it decrypts" sh -c "halfkey decrypt --key old '$DIR/other.age' | cmp - '$DIR/plain'"
check "it is marked as having been whole" sh -c 'halfkey key list --json | jq -e ".[] | select(.name == \"old\") | .was_whole"'
check "import raw digits" sh -c "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' | halfkey key import raw --format raw -"

# --- the bare agreement: with the base point it gives the public key ---
base=09$(printf '%062d' 0)
check "X25519 by halves" sh -c "[ \"\$(halfkey agree --key raw --prove $base)\" = \"\$(halfkey key export raw --format raw)\" ]"
exits "a point on the twist is refused" 1 "not an honest" halfkey agree --key raw "$(printf '02%062d' 0)"

# --- signatures ---
echo "release 1.0" >"$DIR/release"
printf 'alice %s\n' "$(cat "$DIR/work.pub")" >"$DIR/allowed"
check "sign as ssh-keygen does" halfkey sign --key work --format ssh --namespace file "$DIR/release"
check "ssh-keygen verifies" sh -c "ssh-keygen -Y verify -f '$DIR/allowed' -I alice -n file -s '$DIR/release.sig' <'$DIR/release'"
check "halfkey verifies" halfkey verify --key work --format ssh "$DIR/release"
check "verify with a public key and no agent" halfkey verify --public "$DIR/work.pub" --format ssh "$DIR/release"
exits "another namespace is refused" 1 "not valid" halfkey verify --key work --format ssh --namespace git "$DIR/release"
check "sign raw" sh -c "halfkey sign --key work --format raw '$DIR/release' >'$DIR/release.raw'"
check "verify raw" halfkey verify --key work --format raw -s "$DIR/release.raw" "$DIR/release"
echo more >>"$DIR/release"
exits "a changed file is refused" 1 "not valid" halfkey verify --key work --format raw -s "$DIR/release.raw" "$DIR/release"
head -c 70000 /dev/zero >"$DIR/big"
exits "a raw message that is too large" 1 "digest" halfkey sign --key work --format raw "$DIR/big"
check "but not for ssh" halfkey sign --key work --format ssh "$DIR/big"
exits "a key to decrypt does not sign" 1 "" halfkey sign --key files --format ssh "$DIR/release"

# --- log ---
check "the log verifies" halfkey log --verify
check "the log shows a signature's namespace" sh -c "halfkey log | grep -q 'namespace file'"

# --- a device with a passphrase ---
sealed() { HALFKEY_HOME=$DIR/sealed "$@"; }
export -f sealed
init_sealed() { echo "correct horse" | sealed halfkey init --service "$address" --device desk --passphrase-fd 0; }
unlock() { echo "$1" | sealed halfkey unlock --passphrase-fd 0; }
check "init with a passphrase" init_sealed
check "a key" sealed halfkey key create files --suite x25519
sealed halfkey key export files --format age-identity >"$DIR/sealed.identity"
age -r "$(sealed halfkey key export files --format age)" -o "$DIR/desk.age" "$DIR/plain"
check "lock" sealed halfkey lock
exits "locked: exit 5" 5 "unlock" setsid -w env HALFKEY_HOME="$DIR/sealed" halfkey decrypt "$DIR/desk.age"
exits "the plugin says what to run" 1 "halfkey unlock" setsid -w env HALFKEY_HOME="$DIR/sealed" age -d -i "$DIR/sealed.identity" "$DIR/desk.age"
check "a wrong passphrase is refused" sh -c "! echo wrong | HALFKEY_HOME=$DIR/sealed halfkey unlock --passphrase-fd 0"
check "unlock" unlock "correct horse"
check "unlocked it decrypts" sh -c "HALFKEY_HOME=$DIR/sealed halfkey decrypt '$DIR/desk.age' | cmp - '$DIR/plain'"
check "change the passphrase" sh -c "printf 'correct horse\nbattery staple\n' | HALFKEY_HOME=$DIR/sealed halfkey passphrase --passphrase-fd 0"
check "lock again" sealed halfkey lock
check "the old one is refused" sh -c "! echo 'correct horse' | HALFKEY_HOME=$DIR/sealed halfkey unlock --passphrase-fd 0"
check "the new one opens" unlock "battery staple"

# --- restarts ---
check "the agent ends" halfkey agent --stop
check "the next command starts another" sh -c "halfkey decrypt '$DIR/sealed.age' | cmp - '$DIR/plain'"
stop_service
exits "no service: exit 3" 3 "" halfkey decrypt "$DIR/sealed.age"
start_service
check "the service is back" sh -c "halfkey decrypt '$DIR/sealed.age' | cmp - '$DIR/plain'"
check "refresh" halfkey refresh
check "and the keys are the same" sh -c "halfkey decrypt '$DIR/sealed.age' | cmp - '$DIR/plain'"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
