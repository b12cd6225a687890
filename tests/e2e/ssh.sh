#!/bin/bash
# Stock ssh, sshd, ssh-keygen and git with keys that are nowhere whole. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-ssh.XXXXXX)
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config" HOME="$DIR/home"
mkdir -m 700 "$HOME"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY SSH_AUTH_SOCK SSH_ASKPASS DISPLAY WAYLAND_DISPLAY HALFKEY_PINENTRY HALFKEY_CONFIRM
. tests/support/sshd.sh
. tests/support/git.sh
passed=0; failed=0; service=; stock=
laptop() { HALFKEY_HOME=$DIR/laptop halfkey "$@"; }
phone() { HALFKEY_HOME=$DIR/phone halfkey "$@"; }
on() { # DEVICE COMMAND...: with that device's agent
    local socket; socket=$(HALFKEY_HOME=$DIR/$1 halfkey agent --print-socket); shift
    SSH_AUTH_SOCK=$socket "$@"
}
clean_up() {
    local home
    for home in laptop phone sealed behind; do HALFKEY_HOME=$DIR/$home halfkey agent --stop >/dev/null 2>&1; done
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
refused() { # WHAT WORDS COMMAND...: it must fail and say WORDS on standard error
    local what=$1 words=$2 status; shift 2
    "$@" >"$DIR/out" 2> >(cat >"$DIR/err") </dev/null; status=$?
    sleep 0.1 # the other end of that pipe
    if [ "$status" != 0 ] && { [ -z "$words" ] || grep -q -- "$words" "$DIR/err"; }; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $status"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
log_has() { laptop log --json --count 20 | jq -e "any(.[]; $1)" >/dev/null; }

halfkeyd --data "$DIR/service" --listen tcp://127.0.0.1:0 >"$DIR/ready" 2>"$DIR/service.log" &
service=$!
for _ in $(seq 200); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.05; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
check "init" laptop init --service "$address" --device laptop --no-passphrase
check "a key" laptop key create git --suite ed25519
export SSH_KEY=$DIR/git.pub
laptop key export git --format ssh >"$SSH_KEY"
start_sshd one; one=$PORT; cat "$SSH_KEY" >"$SSHD/authorized"
start_sshd two ecdsa; two=$PORT; cat "$SSH_KEY" >"$SSHD/authorized"
start_sshd three rsa; three=$PORT; cat "$SSH_KEY" >"$SSHD/authorized"

# --- the second device, from now on to be found in every log ---
: >"$DIR/join"
laptop device invite >"$DIR/invite" 2>/dev/null
phone device join "$(grep -o 'halfkey-join:[^ ]*' "$DIR/invite" | head -n 1)" --device phone --no-passphrase >"$DIR/join" 2>"$DIR/join.err" &
for _ in $(seq 400); do words=$(sed -n 's/^words: *//p' "$DIR/join"); [ -n "$words" ] && break; sleep 0.05; done
check "a second device" laptop device approve --words "$words"
wait $!

# --- the socket, and what is listed ---
socket=$(laptop agent --print-socket)
check "the socket is ours alone" test "$(stat -c %a:%F "$socket")" = 600:socket
check "the key is listed by its name" sh -c "SSH_AUTH_SOCK=$socket ssh-add -l | grep -q 'halfkey:git (ED25519)'"
check "as it is exported" sh -c "SSH_AUTH_SOCK=$socket ssh-add -L | cmp - $SSH_KEY"
check "ssh-add -T signs and verifies" env SSH_AUTH_SOCK="$socket" ssh-add -T "$SSH_KEY"
check "the log says of that that it was raw" log_has '.operation == "sign" and .namespace == null and .login == null'
refused "ssh-add -D removes nothing" "" env SSH_AUTH_SOCK="$socket" ssh-add -D
check "and the key is still there" sh -c "SSH_AUTH_SOCK=$socket ssh-add -l | grep -q halfkey:git"
refused "a private key is not taken in" "agent refused" env SSH_AUTH_SOCK="$socket" ssh-add "$DIR/sshd-one/host_key"

# --- logins: three kinds of host keys, so three kinds of sessions that are verified ---
for port in $one $two $three; do
    check "ssh logs in" on laptop stock_ssh "$port" true
    check "the second device too" on phone stock_ssh "$port" true
done
ssh-keygen -q -t ed25519 -N '' -f "$DIR/ca"
ssh-keygen -q -s "$DIR/ca" -I alice -n "$USER_NAME" "$SSH_KEY"
start_sshd four; printf 'cert-authority %s\n' "$(cat "$DIR/ca.pub")" >"$SSHD/authorized"
refused "a server that knows a certifying key alone does not know the key" "Permission denied" on laptop stock_ssh "$PORT" true
check "it knows the key's certificate" on laptop stock_ssh "$PORT" -o CertificateFile="${SSH_KEY%.pub}-cert.pub" true
rm "${SSH_KEY%.pub}-cert.pub"
fingerprint=$(ssh-keygen -l -f "$DIR/sshd-three/host_key.pub" | grep -o 'SHA256:[^ ]*')
check "the log says who logged in where" log_has ".login == \"$USER_NAME\" and .host == \"$fingerprint\" and .login_service == \"ssh-connection\""
check "in words too" sh -c "HALFKEY_HOME=$DIR/laptop halfkey log | grep -qF 'login as $USER_NAME at $fingerprint'"

# --- git ---
make_repository "$DIR/repo" "$SSH_KEY"
commit() { git -C "$DIR/repo" commit -q --allow-empty -S -m "$1"; }
check "git commit -S" on laptop commit first
check "git verifies it" git -C "$DIR/repo" verify-commit HEAD
check "git commit -S on the second device" on phone commit second
check "git verifies that" git -C "$DIR/repo" verify-commit HEAD
check "a signed tag" on laptop git -C "$DIR/repo" tag -s -m one v1
check "git verifies the tag" git -C "$DIR/repo" verify-tag v1
check "the log says that they are for git" log_has '.namespace == "git" and .device == "phone"'

# --- ssh-add -x, -X ---
lock() { SSH_ASKPASS="$DIR/askpass" SSH_ASKPASS_REQUIRE=force SSH_AUTH_SOCK=$socket ssh-add "$1"; }
printf '#!/bin/sh\ncat %s/password\n' "$DIR" >"$DIR/askpass"; chmod 755 "$DIR/askpass"
echo secret >"$DIR/password"
check "ssh-add -x" lock -x
refused "locked, it lists nothing" "" sh -c "SSH_AUTH_SOCK=$socket ssh-add -l | grep -q halfkey"
refused "locked, ssh does not log in" "Permission denied" on laptop stock_ssh "$one" true
echo wrong >"$DIR/password"
refused "another password opens nothing" "" lock -X
echo secret >"$DIR/password"
check "ssh-add -X" lock -X
check "ssh logs in again" on laptop stock_ssh "$one" true

# --- policy: namespaces and hosts, put into the profile, so on every device ---
check "for git and one host alone" laptop key allow git --namespaces git --hosts "[127.0.0.1]:$one" --known-hosts "$DIR/known_hosts"
check "it is shown" sh -c "HALFKEY_HOME=$DIR/laptop halfkey key allow git --json | jq -e '.namespaces == [\"git\"] and (.hosts | length == 1) and .forwarded == \"ask\"'"
for device in laptop phone; do
    [ $device = laptop ] || phone key list >/dev/null # hears of the new profile
    check "$device: git goes on" on $device commit more
    check "$device: the host goes on" on $device stock_ssh "$one" true
    refused "$device: another namespace is refused" "not for that namespace" on $device ssh-keygen -Y sign -n file -f "$SSH_KEY" "$DIR/known_hosts"
    refused "$device: another host is refused" "Permission denied" on $device stock_ssh "$two" true
    refused "$device: what says nothing is refused" "nothing says what this one is" on $device ssh-add -T "$SSH_KEY"
done
refused "only an administrator changes that" "administrator" phone key allow git --hosts any
refused "a host that is not known" "log in there once" laptop key allow git --hosts nowhere.example --known-hosts "$DIR/known_hosts"
check "any again" laptop key allow git --namespaces any --hosts any

# --- a forwarded agent: ssh -A to one, and from there to two ---
second_hop() { # [TIMES]: the last time counts
    local socket; socket=$(laptop agent --print-socket)
    SSH_AUTH_SOCK=$socket stock_ssh "$one" -A "for i in $(seq -s ' ' "${1:-1}"); do ssh -F /dev/null -o BatchMode=yes -o UserKnownHostsFile=$DIR/known_hosts \
        -o IdentitiesOnly=yes -o IdentityFile=$SSH_KEY -p $two $USER_NAME@127.0.0.1 echo arrived; done"
}
restart_with() { # VARIABLE=VALUE...: another agent for the laptop
    laptop agent --stop; env "$@" HALFKEY_HOME="$DIR/laptop" halfkey agent --print-socket >/dev/null
}
answers() { # NAME STATUS: a program that is asked; notes the question
    printf '#!/bin/sh\nprintf "%%s\\n" "$1" >>%s\nexit %s\n' "$DIR/$1.asked" "$2" >"$DIR/$1"; chmod 755 "$DIR/$1"
}
answers yes 0; answers no 1; answers notes 0
refused "with nobody to ask, a forwarded use is refused" "nobody could be asked" second_hop
restart_with HALFKEY_CONFIRM="$DIR/no" HALFKEY_NOTIFY="$DIR/notes"
refused "asked, and the answer is no" "the answer was no" second_hop
rm -f "$DIR/no.asked"
refused "told no, a host asks again: nobody is bothered" "a moment ago" second_hop 2
check "one question" test "$(wc -l <"$DIR/no.asked")" = 1
check "the question names key, user and the second host" grep -q "'git'.*a login as $USER_NAME at the host $(ssh-keygen -l -f "$DIR/sshd-two/host_key.pub" | grep -o 'SHA256:[^ ]*').*another host" "$DIR/no.asked"
check "a notice is given" grep -q "was refused" "$DIR/notes.asked"
check "a local login is not asked about" sh -c "rm -f $DIR/no.asked"; check "it logs in" on laptop stock_ssh "$two" true
check "nobody was asked" test ! -e "$DIR/no.asked"
restart_with HALFKEY_CONFIRM="$DIR/yes"
check "asked, and the answer is yes" second_hop; check "the second hop arrived" second_hop
check "asked each time" test "$(wc -l <"$DIR/yes.asked")" = 2
check "forwarded use refused, as set" laptop key allow git --forwarded no
refused "then nobody is asked" "Permission denied" second_hop
check "asked no more" test "$(wc -l <"$DIR/yes.asked")" = 2
check "forwarded use allowed, as set" laptop key allow git --forwarded yes
check "and goes through" second_hop
check "asked no more" test "$(wc -l <"$DIR/yes.asked")" = 2
refused "what says nothing is never signed for another host" "comes from another host" env SSH_AUTH_SOCK="$(laptop agent --print-socket)" \
    bash -c ". tests/support/sshd.sh; DIR=$DIR stock_ssh $one -A ssh-add -T $SSH_KEY"
check "asked for by default again" laptop key allow git --forwarded ask
restart_with HALFKEY_TIMEOUT=0

# --- in front of another agent, and never in its place ---
eval "$(ssh-agent -a "$DIR/stock.socket")" >/dev/null; stock=$SSH_AGENT_PID; unset SSH_AUTH_SOCK SSH_AGENT_PID
ssh-keygen -q -t ed25519 -N '' -C "stock key" -f "$DIR/stock_key"
SSH_AUTH_SOCK=$DIR/stock.socket ssh-add -q "$DIR/stock_key"
restart_with HALFKEY_FALLBACK="$DIR/stock.socket"
socket=$(laptop agent --print-socket)
check "both agents' keys are listed, ours first" sh -c "SSH_AUTH_SOCK=$socket ssh-add -l | cut -d' ' -f3- | tr '\n' , | grep -q '^halfkey:git (ED25519),stock key (ED25519),'"
check "the other's key signs through ours" env SSH_AUTH_SOCK="$socket" ssh-add -T "$DIR/stock_key.pub"
check "ours signs too" env SSH_AUTH_SOCK="$socket" ssh-add -T "$SSH_KEY"
check "keys are added to the other" env SSH_AUTH_SOCK="$socket" ssh-add -q "$DIR/sshd-one/host_key"
check "the other has it" sh -c "SSH_AUTH_SOCK=$DIR/stock.socket ssh-add -l | grep -q 'host one'"
check "ssh-add -x locks both" env SSH_AUTH_SOCK="$socket" SSH_ASKPASS="$DIR/askpass" SSH_ASKPASS_REQUIRE=force ssh-add -x
refused "nothing of the other is listed" "" sh -c "SSH_AUTH_SOCK=$socket ssh-add -l | grep -q stock"
refused "nothing of the other signs" "" env SSH_AUTH_SOCK="$socket" ssh-add -T "$DIR/stock_key.pub"
check "ssh-add -X" env SSH_AUTH_SOCK="$socket" SSH_ASKPASS="$DIR/askpass" SSH_ASKPASS_REQUIRE=force ssh-add -X
laptop agent --stop
refused "another agent's socket is not taken" "another agent listens" env HALFKEY_HOME="$DIR/laptop" halfkey agent --ssh-socket "$DIR/stock.socket"
HALFKEY_HOME=$DIR/laptop HALFKEY_SSH_SOCKET=$DIR/stock.socket halfkey >/dev/null
refused "an agent started by a command goes on without SSH, and says so" "another agent listens" laptop agent --print-socket
check "the other agent still answers there" sh -c "SSH_AUTH_SOCK=$DIR/stock.socket ssh-add -l | grep -q 'stock key'"
laptop agent --stop
echo kept >"$DIR/a_file"
refused "a file is not taken either" "no socket of ours" env HALFKEY_HOME="$DIR/laptop" halfkey agent --ssh-socket "$DIR/a_file"
check "it is as it was" grep -q kept "$DIR/a_file"
refused "an agent behind is given by its whole path" "absolute path" env HALFKEY_HOME="$DIR/laptop" halfkey agent --fallback behind.socket
refused "an agent does not ask itself" "own socket" env HALFKEY_HOME="$DIR/laptop" halfkey agent --fallback "$DIR/x" --ssh-socket "$DIR/x"

# --- the lost phone ---
check "the phone logs in" on phone stock_ssh "$one" true
check "the phone is revoked" laptop device revoke phone
refused "the phone's ssh fails and says why" "this device is revoked" on phone stock_ssh "$one" true
before=$(git -C "$DIR/repo" rev-parse HEAD)
refused "the phone's commit fails and says why" "this device is revoked" on phone commit stolen
check "no commit was made" test "$(git -C "$DIR/repo" rev-parse HEAD)" = "$before"
check "the laptop goes on" on laptop stock_ssh "$one" true

# --- a service that is slow: the user is told after two seconds, once, and not before ---
: >"$DIR/notes.asked"
restart_with HALFKEY_NOTIFY="$DIR/notes"
check "a commit with a service that answers" on laptop commit quick
check "nobody was told anything" test ! -s "$DIR/notes.asked"
kill -STOP "$service"
on laptop commit slow >"$DIR/slow.out" 2>"$DIR/slow.err" & slow=$!
for _ in $(seq 80); do [ -s "$DIR/notes.asked" ] && break; sleep 0.05; done
sleep 0.5
kill -CONT "$service"
check "the commit is made when the service answers" wait "$slow"
check "the notice says what waits for whom" grep -qx "waiting for the key service: a signature in the namespace git with 'git'" "$DIR/notes.asked"
check "once" test "$(wc -l <"$DIR/notes.asked")" = 1

# --- the service is away ---
kill "$service"; wait "$service" 2>/dev/null; service=
refused "without the service it fails and says why" "cannot be reached\|no answer" on laptop stock_ssh "$one" true

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
