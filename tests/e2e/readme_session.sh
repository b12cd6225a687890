#!/bin/bash
# Runs the README's session, line by line, with the real programs, and compares what they print with what is written there.
# What differs from run to run (addresses, keys, names, words) is learnt from the output and put into the later lines.
#   $ COMMAND        on the laptop           phone$ COMMAND        on the phone            COMMAND &   goes on meanwhile
# A line `...` in the output stands for any further lines. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
README=$PWD/README.md
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/halfkey-session.XXXXXX)
export PATH="$BIN:$PATH" HALFKEYD_LISTEN=tcp://127.0.0.1:0 XDG_CONFIG_HOME="$DIR/config"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY SSH_AUTH_SOCK
clean_up() {
    for home in laptop phone; do
        GNUPGHOME=$DIR/$home.gpg gpgconf --kill all; HALFKEY_HOME=$DIR/$home halfkey agent --stop
    done >/dev/null 2>&1
    jobs -p | xargs -r kill 2>/dev/null; wait 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
passed=0; failed=0
touch "$DIR/laptop.env" "$DIR/phone.env" # what each exports is there in its later lines
export HOME="$DIR/home" GIT_CONFIG_NOSYSTEM=1; mkdir "$HOME"
: >"$DIR/learnt" # sed commands: what the README has -> what this run has

# A word that may differ between runs, and what it may be.
variable='^(halfkey://[a-z2-7]{52}@127\.0\.0\.1:[0-9]+|halfkey-join:[a-z2-7.]+|age1[a-z0-9]{58}|(M[A-Z2-7]{3}-)([A-Z2-7]{4}-){5}[A-Z2-7]{4}|AAAA[A-Za-z0-9+/=]{64}|SHA256:[A-Za-z0-9+/]{43}|[0-9A-F]{40}|([a-z][aiou]){2}[a-z]|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2})$'
learn() { # EXPECTED-LINE REAL-LINE: true if they are the same, but for variable words, which are learnt
    local -a want got; local i
    read -ra want <<<"$1"; read -ra got <<<"$2"
    [ "${#want[@]}" = "${#got[@]}" ] || return 1
    for i in "${!want[@]}"; do
        [ "${want[i]}" != "${got[i]}" ] || continue
        if [[ ! ${want[i]} =~ $variable ]] || [[ ! ${got[i]} =~ $variable ]]; then return 1; fi
        printf 's|%s|%s|g\n' "${want[i]}" "${got[i]}" >>"$DIR/learnt"
    done
}
compare() { # expected lines in $DIR/want, real ones in $DIR/got
    local line real n=0
    while IFS= read -r line; do
        [ "$line" != ... ] || return 0
        n=$((n + 1)); real=$(sed -n "${n}p" "$DIR/got")
        learn "$(sed -f "$DIR/learnt" <<<"$line")" "$real" || { printf '  expected: %s\n  printed:  %s\n' "$line" "$real"; return 1; }
    done <"$DIR/want"
    [ "$(wc -l <"$DIR/got")" = "$n" ] || { echo "  more was printed:"; cat "$DIR/got"; return 1; }
}
settle() { # a command in the background: until it has printed as many lines as are expected, ten seconds at most
    local lines; lines=$(sed '/^\.\.\.$/,$d' "$DIR/want" | wc -l)
    for _ in $(seq 200); do [ "$(wc -l <"$DIR/raw")" -ge "$lines" ] && break; sleep 0.05; done
}
run() {
    [ -n "$command" ] || return 0
    local real; real=$(sed -f "$DIR/learnt" <<<"$command")
    : >"$DIR/raw"
    if [[ $real == *'&' ]]; then
        (cd "$DIR" && HALFKEY_HOME=$DIR/$who GNUPGHOME=$DIR/$who.gpg eval "exec ${real%&}") >"$DIR/raw" 2>"$DIR/err" &
        settle
    else
        (cd "$DIR" && export HALFKEY_HOME=$DIR/$who GNUPGHOME=$DIR/$who.gpg && . "$DIR/$who.env" && eval "$real" &&
            if [[ $real == 'export '* ]]; then name=${real#export }; declare -p "${name%%=*}" >>"$DIR/$who.env"; fi) >"$DIR/raw" 2>&1 </dev/null
    fi
    cp "$DIR/raw" "$DIR/got"
    if compare; then passed=$((passed + 1)); echo "ok    $command"
    else failed=$((failed + 1)); echo "FAIL  $command"; fi
}

command=; who=laptop
while IFS= read -r line; do
    line=${line#    }
    case $line in
    '$ '*) run; command=${line#\$ }; who=laptop; : >"$DIR/want" ;;
    'phone$ '*) run; command=${line#phone\$ }; who=phone; : >"$DIR/want" ;;
    '') ;;
    *) printf '%s\n' "$line" >>"$DIR/want" ;;
    esac
done < <(sed -n '/^## A session/,/^## /{/^    /p}' "$README")
run
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 10 ]
