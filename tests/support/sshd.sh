# An OpenSSH server on loopback as the user who runs the tests, for tests/e2e: source it, call start_sshd NAME.
# Its folder, $SSHD, has config, host key and log; logins are as $USER_NAME, with the keys of $SSHD/authorized. Ends with stop_sshds.
sshd_pids=()
USER_NAME=$(id -un)
free_port() { # one that nobody listens on now
    local port
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return 0; }
    done
    return 1
}
start_sshd() { # NAME [HOST-KEY-TYPE]: sets SSHD, PORT
    local name=$1 type=${2:-ed25519}
    SSHD=$DIR/sshd-$name
    mkdir -p "$SSHD"; chmod 755 "$DIR" "$SSHD"
    ssh-keygen -q -t "$type" -N '' -f "$SSHD/host_key" -C "host $name" </dev/null
    : >>"$SSHD/authorized"
    # A server that root runs wants this folder to be there, and without PAM turns away accounts whose password is locked.
    local pam=no
    if [ "$(id -u)" = 0 ]; then
        mkdir -p -m 755 /run/sshd
        ! getent shadow "$USER_NAME" | grep -q '^[^:]*:!' || pam=yes
    fi
    for _ in 1 2 3; do
        PORT=$(free_port)
        cat >"$SSHD/config" <<CONFIG
ListenAddress 127.0.0.1
Port $PORT
HostKey $SSHD/host_key
PidFile $SSHD/pid
AuthorizedKeysFile $SSHD/authorized
StrictModes no
UsePAM $pam
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
AllowAgentForwarding yes
PermitRootLogin yes
PrintMotd no
LogLevel VERBOSE
AcceptEnv HALFKEY_*
CONFIG
        /usr/sbin/sshd -D -f "$SSHD/config" -E "$SSHD/log" </dev/null &
        sshd_pids+=($!)
        for _ in $(seq 100); do
            grep -q "Server listening" "$SSHD/log" 2>/dev/null && break
            kill -0 $! 2>/dev/null || break
            sleep 0.05
        done
        grep -q "Server listening" "$SSHD/log" && break
    done
    printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$SSHD/host_key.pub")" >>"$DIR/known_hosts"
}
stop_sshds() {
    local pid
    for pid in "${sshd_pids[@]:-}"; do [ -z "$pid" ] || kill "$pid" 2>/dev/null; done
}
# ssh with nothing of the user's own: SSH_KEY is the public key to use.
stock_ssh() { # PORT ARGUMENTS...
    local port=$1; shift
    timeout 60 ssh -F /dev/null -o BatchMode=yes -o UserKnownHostsFile="$DIR/known_hosts" -o GlobalKnownHostsFile=/dev/null \
        -o IdentitiesOnly=yes -o IdentityFile="$SSH_KEY" -o PreferredAuthentications=publickey -p "$port" "$USER_NAME@127.0.0.1" "$@"
}
