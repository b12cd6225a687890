# Git with nothing of the user's own, signing in SSH's format: source it after DIR and HOME are set.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
make_repository() { # FOLDER PUBLIC-KEY-FILE
    local setting
    git init -q "$1"
    printf 'a@example.org %s\n' "$(cut -d' ' -f1,2 "$2")" >"$1.allowed"
    for setting in "user.name A" "user.email a@example.org" "gpg.format ssh" "user.signingKey $2" \
        "gpg.ssh.allowedSignersFile $1.allowed"; do git -C "$1" config "${setting%% *}" "${setting#* }"; done
}
