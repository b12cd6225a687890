#!/bin/bash
# Keys that were OpenSSH's before, and a sealed device: what is asked for, how often, and what a commit costs.
# Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-ssh-keys.XXXXXX)
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config" HOME="$DIR/home" HALFKEY_HOME="$DIR/laptop"
mkdir -m 700 "$HOME" "$HOME/.ssh"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY SSH_AUTH_SOCK SSH_ASKPASS DISPLAY WAYLAND_DISPLAY HALFKEY_PINENTRY HALFKEY_CONFIRM
. tests/support/sshd.sh
. tests/support/git.sh
passed=0; failed=0; service=; stock=
clean_up() {
    halfkey agent --stop >/dev/null 2>&1
    stop_sshds
    [ -z "$stock" ] || kill "$stock" 2>/dev/null
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
check() { # WHAT COMMAND...: it must succeed
    local what=$1; shift
    if "$@" >"$DIR/out" 2>"$DIR/err" </dev/null; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
exits() { # WHAT STATUS WORDS COMMAND...: it must end with that status and say WORDS
    local what=$1 want=$2 words=$3 got; shift 3
    "$@" >"$DIR/out" 2>"$DIR/err" </dev/null; got=$?
    if [ "$got" = "$want" ] && grep -q -- "$words" "$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $got"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
says() { "${@:2}" >"$DIR/said" 2>&1; grep -q -- "$1" "$DIR/said"; }
says_not() { "${@:2}" >"$DIR/said" 2>&1; ! grep -q -- "$1" "$DIR/said"; }

halfkeyd --data "$DIR/service" --listen tcp://127.0.0.1:0 >"$DIR/ready" 2>"$DIR/service.log" &
service=$!
for _ in $(seq 200); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.05; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
# The device is sealed; the lines that the passphrase descriptor gives.
lines() { printf '%s\n' "${@:2}" >"$DIR/lines"; "$1" 9<"$DIR/lines"; }
init() { halfkey init --service "$address" --device laptop --passphrase-fd 9; }
check "init with a passphrase" lines init "of the device"

# --- import ---
old=$HOME/.ssh/id_ed25519
ssh-keygen -q -t ed25519 -a 4 -N "of the file" -C old -f "$old"
ssh-keygen -q -t ecdsa -N "" -f "$DIR/ecdsa"
ssh-keygen -q -t ed25519 -N "" -f "$DIR/plain"
import() { halfkey key import old --format ssh --passphrase-fd 9 "$old"; }
exits "another passphrase opens nothing" 1 "not its passphrase" lines import "of another"
exits "without one it says what to do" 5 "passphrase-fd" halfkey key import old --format ssh "$old"
exits "a key of another kind is told from a damaged file" 1 "ed25519 here" halfkey key import old --format ssh "$DIR/ecdsa"
head -c 200 "$DIR/plain" >"$DIR/cut"
exits "a damaged file" 1 "as ssh-keygen writes it" halfkey key import old --format ssh "$DIR/cut"
check "nothing was imported" says_not old halfkey key list
check "import a sealed key" lines import "of the file"
check "it says where the whole one lies" test "$(grep -c "One lies in $old (shred -u)" "$DIR/err")" = 1
check "import a plain one" halfkey key import plain --format ssh "$DIR/plain"
check "the public key is the same" test "$(halfkey key export old --format ssh | cut -d' ' -f2)" = "$(cut -d' ' -f2 "$old.pub")"
check "halfkey says that it still lies whole in ~/.ssh" says "WHOLE: $old is all of the key 'old'" halfkey
check "as data too" sh -c "halfkey --json | jq -e '.whole_files == [\"$old\"]'"
start_sshd one; cp "$old.pub" "$SSHD/authorized"
rm "$old"
check "gone from there, it says no more of it" says_not WHOLE halfkey
SSH_KEY=$old.pub; export SSH_KEY
SSH_AUTH_SOCK=$(halfkey agent --print-socket); export SSH_AUTH_SOCK
check "the server knows the key that it knew, now in halves" stock_ssh "$PORT" true

# --- thirty commits, one passphrase ---
cat >"$DIR/pinentry" <<PINENTRY
#!/bin/sh
echo "OK"
while read -r line; do
    case \$line in
    GETPIN) echo asked >>$DIR/asked; printf 'D of the device\nOK\n' ;;
    BYE) echo OK; exit 0 ;;
    *) echo OK ;;
    esac
done
PINENTRY
chmod 755 "$DIR/pinentry"
make_repository "$DIR/repo" "$SSH_KEY"
commit() { git -C "$DIR/repo" commit -q --allow-empty -S -m more; }
halfkey lock
exits "sealed, and nobody to ask: a commit says what to do" 128 "halfkey unlock" commit
halfkey agent --stop
SSH_AUTH_SOCK=$(HALFKEY_PINENTRY=$DIR/pinentry halfkey agent --print-socket)
thirty() { for _ in $(seq 30); do commit || return 1; done; }
check "thirty commits in a row" thirty
check "asked for the passphrase once" test "$(wc -l <"$DIR/asked")" = 1
verified() { local c n=0; for c in $(git -C "$DIR/repo" rev-list HEAD); do git -C "$DIR/repo" verify-commit "$c" || return 1; n=$((n + 1)); done; [ "$n" = 30 ]; }
check "all thirty verify" verified
halfkey lock
check "locked again, the keys are listed still" says "halfkey:old" ssh-add -l
check "nobody was asked for that" test "$(wc -l <"$DIR/asked")" = 1
check "for a commit the passphrase is asked for" commit
check "that made two" test "$(wc -l <"$DIR/asked")" = 2

# --- another host cannot have a passphrase typed ---
stock_ssh "$PORT" -A "sleep 2; ssh-add -T $SSH_KEY" >"$DIR/hop.out" 2> >(cat >"$DIR/hop.err") & hop=$!
sleep 1; halfkey lock
wait "$hop"; check "sealed, a forwarded request is refused" test $? != 0
check "it says that it is locked" grep -q "halfkey unlock" "$DIR/hop.err"
check "nobody was asked for a passphrase" test "$(wc -l <"$DIR/asked")" = 2
commit

# --- what a commit costs: beside the same with a key in stock ssh-agent, one of each in turn, by their medians ---
eval "$(ssh-agent -a "$DIR/stock.socket")" >/dev/null; stock=$SSH_AGENT_PID
SSH_AUTH_SOCK=$DIR/stock.socket ssh-add -q "$DIR/plain"
make_repository "$DIR/stock" "$DIR/plain.pub"
export SSH_AUTH_SOCK
SSH_AUTH_SOCK=$(halfkey agent --print-socket)
microseconds() { local t=${EPOCHREALTIME/[.,]/}; "$@"; echo $((${EPOCHREALTIME/[.,]/} - t)); }
stock_commit() { SSH_AUTH_SOCK=$DIR/stock.socket git -C "$DIR/stock" commit -q --allow-empty -S -m more; }
for _ in $(seq 30); do microseconds commit >>"$DIR/ours"; microseconds stock_commit >>"$DIR/theirs"; done
median() { sort -n "$1" | sed -n 15p; }
ours=$(median "$DIR/ours"); theirs=$(median "$DIR/theirs")
check "a commit takes $ours us, with stock ssh-agent $theirs us: at most half as long again" test $((ours * 2)) -le $((theirs * 3))
check "all of them were signed" test "$(git -C "$DIR/stock" log --format=%G? | sort -u)$(git -C "$DIR/repo" log --format=%G? | sort -u)" = GG

# --- started by systemd: by ssh, or by the first command, that knocks at the socket ---
if command -v systemd-socket-activate >/dev/null; then
    halfkey agent --stop
    mkdir -m 700 -p "$DIR/run" "$HOME/.local/share"; cp -a "$HALFKEY_HOME" "$HOME/.local/share/halfkey"
    by_systemd() { env -u HALFKEY_HOME -u SSH_AUTH_SOCK XDG_RUNTIME_DIR="$DIR/run" HALFKEY_PINENTRY="$DIR/pinentry" "$@"; }
    for first in halfkey ssh-add; do
        by_systemd systemd-socket-activate -E XDG_RUNTIME_DIR -E HALFKEY_PINENTRY -l "$DIR/run/halfkey.ssh" "$BIN/halfkey" agent >/dev/null 2>&1 &
        for _ in $(seq 100); do [ -S "$DIR/run/halfkey.ssh" ] && break; sleep 0.05; done
        [ $first = halfkey ] && check "a command finds the agent that systemd starts" test "$(by_systemd halfkey agent --print-socket)" = "$DIR/run/halfkey.ssh"
        check "keys at systemd's socket ($first came first)" says "halfkey:old" env SSH_AUTH_SOCK="$DIR/run/halfkey.ssh" ssh-add -l
        by_systemd halfkey agent --stop; wait $!; rm -f "$DIR/run/halfkey.ssh"
    done
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
