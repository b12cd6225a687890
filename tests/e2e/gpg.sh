#!/bin/bash
# Stock gpg and git with keys that no machine holds, in two homes that are two devices: sign, decrypt, certify, commit; a
# locked device; other cards; a revoked phone; everything undone. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/hk-gpg.XXXXXX)
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root # the folders are ours
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config" GIT_CONFIG_NOSYSTEM=1 HOME="$DIR/user" LC_ALL=C
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY HALFKEY_HOME GNUPGHOME GPG_TTY DISPLAY WAYLAND_DISPLAY
passed=0; failed=0; service=
mkdir -p "$HOME" "$XDG_CONFIG_HOME/halfkey"; for d in laptop phone friend; do mkdir -m 700 "$DIR/$d.gpg"; done
# Each device is a state folder and a GnuPG folder.
on() { local who=$1; shift; HALFKEY_HOME=$DIR/$who GNUPGHOME=$DIR/$who.gpg timeout 60 "$@" </dev/null; }
laptop() { on laptop "$@"; }
phone() { on phone "$@"; }
friend() { on friend "$@"; }
clean_up() {
    for who in laptop phone friend old; do on $who gpgconf --kill all; on $who halfkey agent --stop; done >/dev/null 2>&1
    [ -z "$service" ] || { kill "$service"; wait "$service"; } 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
check() { # WHAT COMMAND...: it must succeed
    local what=$1; shift
    if "$@" >"$DIR/out" 2>"$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $?"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
fails() { # WHAT WORD COMMAND...: it must fail, and say WORD
    local what=$1 word=$2; shift 2
    if ! "$@" >"$DIR/out" 2>"$DIR/err" && grep -qi -- "$word" "$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: not '$word'"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
says() { # WHAT WORD COMMAND...: it must succeed and print WORD
    local what=$1 word=$2; shift 2
    if "$@" >"$DIR/out" 2>"$DIR/err" && grep -q -- "$word" "$DIR/out" "$DIR/err"; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: not '$word'"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
is() { [ "$1" = "$2" ] || { echo "got '$1', not '$2'"; return 1; }; }
fingerprint() { on "$1" gpg --list-keys --with-colons ann@example.org | awk -F: '/^fpr/ { print $10; exit }'; }

# ---- an account with two keys, and then a second device ----
halfkeyd --data "$DIR/service" --listen "ipc://$DIR/socket" >"$DIR/ready" 2>"$DIR/service.log" & service=$!
for _ in $(seq 500); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.02; done
address=$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")
check "init" laptop halfkey init --service "$address" --device laptop --no-passphrase
check "a key to sign" laptop halfkey key create mail --suite ed25519
check "a key to decrypt" laptop halfkey key create box --suite x25519
exec 3<<<"correct horse"
code=$(laptop halfkey device invite 2>/dev/null | grep -o 'halfkey-join:[^ ]*' | head -n 1)
HALFKEY_HOME=$DIR/phone timeout 60 halfkey device join "$code" --device phone --passphrase-fd 3 >"$DIR/join" 2>"$DIR/join.err" & joining=$!
for _ in $(seq 500); do words=$(sed -n 's/^words: //p' "$DIR/join"); [ -z "$words" ] || break; sleep 0.02; done
check "the phone joins" laptop halfkey device approve --words "$words"
check "and has its halves" wait $joining

# ---- setup ----
fails "no certificate yet: it says how to make one" "--user-id" laptop halfkey gpg setup
fails "a certificate needs a key that signs" "ed25519" laptop halfkey gpg setup --key box --user-id "Ann <ann@example.org>"
fails "a user id is one line that can be shown" "printable" laptop halfkey gpg setup --key mail --user-id "Ann
<ann@example.org>"
fails "an ordinary device makes none" "administrator" phone sh -c \
    'exec 3<<-E
	correct horse
	E
	halfkey gpg setup --passphrase-fd 3 --key mail --user-id "Ann <ann@example.org>"'
printf 'max-cache-ttl 600\nscdaemon-program /usr/lib/gnupg/scdaemon' >"$DIR/laptop.gpg/gpg-agent.conf"
cp "$DIR/laptop.gpg/gpg-agent.conf" "$DIR/before.conf"
says "setup makes the certificate and tells gpg" "Ann <ann@example.org>" laptop halfkey gpg setup --key mail \
    --decryption-key box --user-id "Ann <ann@example.org>"
check "once more changes nothing" laptop halfkey gpg setup
check "on the phone it is the only further step" phone halfkey gpg setup
mine=$(fingerprint laptop)
check "the fingerprint is the same on both" is "$(fingerprint phone)" "$mine"
check "the public keys are the same, byte for byte" is "$(phone gpg --export ann@example.org | sha256sum)" \
    "$(laptop gpg --export ann@example.org | sha256sum)"
check "no private key is anywhere in either home" sh -c "! grep -rL shadowed-private-key '$DIR'/*.gpg/private-keys-v1.d | grep ."
says "stubs name the card" "Card serial no" laptop gpg -K --with-keygrip

# ---- sign, decrypt, certify: on both ----
echo "the plan" >"$DIR/plan"
friend gpg --batch --quiet --passphrase '' --quick-gen-key "Bob <bob@example.org>" ed25519 sign 0 2>/dev/null
laptop halfkey gpg export >"$DIR/ann.asc" 2>/dev/null
check "what is exported is imported" friend gpg --batch --import "$DIR/ann.asc"
friend gpg --batch --export bob@example.org >"$DIR/bob.gpg"
friend gpg --batch --trust-model always -e -r ann@example.org -o "$DIR/letter.gpg" "$DIR/plan"
for who in laptop phone; do
    check "$who signs" on $who gpg --batch --yes -s -o "$DIR/$who.signed" "$DIR/plan"
    says "a friend's gpg verifies it" "Good signature from \"Ann" friend gpg --batch --trust-model always --verify "$DIR/$who.signed"
    check "$who signs a text" on $who gpg --batch --yes --digest-algo SHA512 --clearsign -o "$DIR/$who.asc" "$DIR/plan"
    says "and it is verified" "Good signature" friend gpg --batch --verify "$DIR/$who.asc"
    says "$who decrypts what a friend wrote" "the plan" on $who gpg --batch -d "$DIR/letter.gpg"
    check "$who takes a friend's key" on $who gpg --batch --import "$DIR/bob.gpg"
    check "$who certifies it" on $who gpg --batch --yes --quick-sign-key "$(friend gpg --list-keys --with-colons bob | awk -F: '/^fpr/ { print $10; exit }')"
    says "which gpg checks" "sig!.*Ann" on $who gpg --check-signatures bob@example.org
done
fails "SHA-1 is not signed" "digest algo" laptop gpg --batch --yes --digest-algo SHA1 -s -o "$DIR/weak" "$DIR/plan"
sed "s/plan/plot/" "$DIR/laptop.asc" >"$DIR/changed.asc"
fails "a changed text is not verified" "BAD signature" friend gpg --batch --verify "$DIR/changed.asc"
says "the log tells what was signed" "mail openpgp sha512" laptop halfkey log
says "and what made the certificate" "mail openpgp self-certification" laptop halfkey log
several() { # at the same time: gpg-agent then uses the card's socket
    local pids=() n
    for n in 1 2 3 4; do laptop gpg --batch --yes -s -o "$DIR/many.$n" "$DIR/plan" & pids+=($!); done
    for n in "${pids[@]}"; do wait "$n" || return 1; done
    for n in 1 2 3 4; do friend gpg --batch --verify "$DIR/many.$n" || return 1; done
}
check "four at once" several
ended() { # the card's connection is to an agent that was ended a moment ago
    for _ in 1 2 3; do
        laptop gpg --batch --yes -s -o "$DIR/again" "$DIR/plan" && laptop halfkey agent --stop &&
            laptop gpg --batch --yes -s -o "$DIR/again" "$DIR/plan" || return 1
    done
}
check "an agent that was just ended is started again by the next use" ended

# ---- git ----
repository() { # WHO
    on "$1" git init -q -b main "$DIR/$1.git" && on "$1" git -C "$DIR/$1.git" config user.name Ann &&
        on "$1" git -C "$DIR/$1.git" config user.email ann@example.org && on "$1" git -C "$DIR/$1.git" config user.signingkey "$mine"
}
commit() { on "$1" git -C "$DIR/$1.git" commit -q --allow-empty -S -m "signed"; }
for who in laptop phone; do
    check "$who has a repository" repository $who
    check "$who commits with a signature" commit $who
    says "which git verifies" "Good signature from \"Ann" on $who git -C "$DIR/$who.git" verify-commit HEAD
done

# ---- a locked phone ----
check "the phone is locked" phone halfkey lock
fails "nobody to ask for the passphrase: it fails" "failed" phone gpg --batch --yes -s -o "$DIR/locked" "$DIR/plan"
unlocking() { # PASSPHRASE: asked for by gpg-agent, in the way of a PIN
    echo "$1" | HALFKEY_HOME=$DIR/phone GNUPGHOME=$DIR/phone.gpg timeout 60 gpg --batch --yes --pinentry-mode loopback \
        --passphrase-fd 0 -s -o "$DIR/unlocked" "$DIR/plan"
}
fails "a wrong passphrase does not open it" "bad pin" unlocking "battery staple"
check "the right one does" unlocking "correct horse"
check "once for all" commit phone

# ---- other cards ----
says "a card that is not ours is asked of the real scdaemon" "ERR [0-9]* .*<SCD>" laptop gpg-connect-agent \
    'SCD SERIALNO --demand=D2760001240102000005000012340000' /bye
says "which answers itself" "^D 2\." laptop gpg-connect-agent 'SCD GETINFO version' /bye
check "and is started once" is "$(pgrep -fc "^scdaemon --multi-server --homedir $DIR/laptop.gpg")" 1
check "ours goes on" laptop gpg --batch --yes -s -o "$DIR/after" "$DIR/plan"
fails "no command writes to the card" "not supported" sh -c \
    "GNUPGHOME='$DIR/laptop.gpg' gpg-connect-agent 'SCD GENKEY 1' /bye | tee /dev/stderr | grep -q ^OK"

# ---- for other people ----
check "into a web key directory" laptop halfkey gpg export mail --wkd "$DIR/wkd"
wkd_name() { gpg-wks-client --print-wkd-hash ann@example.org | cut -d' ' -f1; }
check "under the name that gpg-wks-client has" test -s "$DIR/wkd/hu/$(PATH="$PATH:/usr/lib/gnupg" wkd_name)"
check "and with a policy" test -e "$DIR/wkd/policy"
says "it is the certificate" "$mine" gpg --batch --homedir "$DIR/friend.gpg" --show-keys --with-colons "$DIR/wkd/hu/$(PATH="$PATH:/usr/lib/gnupg" wkd_name)"
fails "no other key's" "no such certificate" laptop halfkey gpg export box

# ---- Thunderbird's preferences ----
mkdir "$DIR/profile"; cat >"$DIR/profile/prefs.js" <<'P'
// Mozilla User Preferences

user_pref("app.update.lastUpdateTime", 1700000000);
user_pref("mail.identity.id1.useremail", "bob@example.org");
user_pref("mail.identity.id2.openpgp_key_id", "0123456789ABCDEF");
user_pref("mail.identity.id2.useremail", "ann@example.org");
P
cp "$DIR/profile/prefs.js" "$DIR/prefs.before"
pref() { sed -n "s/^user_pref(\"$1\", \(.*\));$/\1/p" "$DIR/profile/prefs.js"; }
ln -s "127.0.1.1:+$$" "$DIR/profile/lock"
fails "a profile that is in use is left alone" "end it first" laptop halfkey mail setup --profile "$DIR/profile"
rm "$DIR/profile/lock"
says "an identity of a profile is pointed at the key" "id2" laptop halfkey mail setup --profile "$DIR/profile"
for name in openpgp_key_id last_entered_external_gnupg_key_id; do
    check "$name is the fingerprint" is "$(pref mail.identity.id2.$name)" "\"$mine\""
done
check "as one of gpg's" is "$(pref mail.identity.id2.is_gnupg_key_id)" true
check "gpg is allowed" is "$(pref mail.openpgp.allow_external_gnupg)" true
check "nothing else has changed" is "$(grep -vc 'openpgp\|gnupg' "$DIR/profile/prefs.js")" "$(grep -vc 'openpgp\|gnupg' "$DIR/prefs.before")"
check "once more changes nothing" laptop halfkey mail setup --profile "$DIR/profile"
check "what is undone is as it was, byte for byte" sh -c "HALFKEY_HOME='$DIR/laptop' halfkey mail setup --profile '$DIR/profile' --remove && cmp '$DIR/prefs.before' '$DIR/profile/prefs.js' && ! ls '$DIR/profile' | grep halfkey"
fails "twice is an error" "was not set up" laptop halfkey mail setup --profile "$DIR/profile" --remove
sed -i s/ann@/anne@/ "$DIR/profile/prefs.js"
fails "no identity with the address: it says which" "ann@example.org" laptop halfkey mail setup --profile "$DIR/profile"

# ---- a key that gpg has, split ----
old() { HALFKEY_HOME=$DIR/laptop GNUPGHOME=$DIR/old.gpg timeout 60 "$@" </dev/null; }
sealed() { old gpg --batch --quiet --pinentry-mode loopback --passphrase 'open sesame' "$@"; }
importing() { HALFKEY_HOME=$DIR/laptop GNUPGHOME=$DIR/old.gpg halfkey gpg import carol "$DIR/old.asc" --passphrase-fd 5 5<<<"$1" </dev/null; }
mkdir -m 700 "$DIR/old.gpg"
sealed --quick-gen-key "Carol <carol@example.org>" ed25519 cert,sign 0 2>/dev/null
carol=$(old gpg --list-keys --with-colons | awk -F: '/^fpr/ { print $10; exit }')
check "an old key with a subkey to decrypt" sealed --quick-add-key "$carol" cv25519 encr 0
check "and one to sign" sealed --quick-add-key "$carol" ed25519 sign 0
check "and a second user id" sealed --quick-add-uid "$carol" "Carol <carol@example.net>"
check "it is exported" sealed --armor -o "$DIR/old.asc" --export-secret-keys "$carol"
old gpg --batch --quiet -e -r "$carol" -o "$DIR/before.gpg" "$DIR/plan" 2>/dev/null
fails "another passphrase does not open it" "not its passphrase" importing "open barley"
check "its own does" importing "open sesame"
cp "$DIR/out" "$DIR/import.out"; cp "$DIR/err" "$DIR/import.err"
check "with the fingerprint that it has" grep -q "^$carol  Carol" "$DIR/import.out"
check "it says where the file lies" grep -q "lies in $DIR/old.asc" "$DIR/import.err"
check "and the three keys that gpg still has" is "$(grep -c "lies in $DIR/old.gpg/private-keys-v1.d/.*\.key" "$DIR/import.err")" 3
check "once more goes on where it was" importing "open sesame"
says "gpg would go on with the whole one: it says so" "still holds the whole key" old halfkey gpg setup
check "nothing of it was deleted" is "$(grep -L shadowed-private-key "$DIR"/old.gpg/private-keys-v1.d/*.key | wc -l)" 3
check "on the other hand, where it never was" laptop halfkey gpg setup
says "what was written to it before is read" "the plan" laptop gpg --batch -d "$DIR/before.gpg"
check "its subkey signs" laptop gpg --batch --yes -u "$carol" -s -o "$DIR/carol.gpg" "$DIR/plan"
says "and who knew it verifies that" 'Good signature from "Carol' old gpg --batch --verify "$DIR/carol.gpg"
check "it takes one user id more, which the primary key certifies" laptop gpg --batch --quick-add-uid "$carol" "Carol <c@example.com>"
says "the list says that it was whole" "was whole before" laptop halfkey key list
old gpgconf --kill all

# ---- a lost phone ----
printf '#!/bin/sh\necho "$1" >>%s/told\n' "$DIR" >"$DIR/tell"; chmod +x "$DIR/tell"
echo "notify = $DIR/tell" >>"$XDG_CONFIG_HOME/halfkey/config"
# A friend's gpg that waits all the while, its standard error a pipe.
mkfifo "$DIR/fifo"; (HOME=$HOME GNUPGHOME=$DIR/friend.gpg gpg --batch --verify <"$DIR/fifo" 2>&1 | cat >"$DIR/watch") & exec 4>"$DIR/fifo"
check "the phone is revoked" laptop halfkey device revoke phone
fails "its gpg signs no more, and says so in its own words" "signing failed: Certificate revoked" \
    phone gpg --batch --yes -s -o "$DIR/lost" "$DIR/plan"
piped() { "$@" 2>&1 >/dev/null | cat >&2; return "${PIPESTATUS[0]}"; } # a file is nobody's terminal
sentence="halfkey: this device is revoked; what it holds is of no use any more"
fails "and why, in ours" "^$sentence" piped phone gpg --batch --yes -s -o "$DIR/lost" "$DIR/plan"
fails "nor decrypts" "^$sentence" piped phone gpg --batch -d "$DIR/letter.gpg"
fails "nor commits" "^$sentence" piped commit phone
exec 4>&-
check "nobody else's gpg is told" sh -c "! grep -rq halfkey: '$DIR/watch'"
check "the program that is to be told was told" grep -q "^this device is revoked" "$DIR/told"
fails "the whole sentence is in halfkey" "this device is revoked" phone halfkey
check "the laptop goes on" commit laptop
says "and reads the letter" "the plan" laptop gpg --batch -d "$DIR/letter.gpg"

# ---- undone ----
check "undone on the laptop" laptop halfkey gpg setup --remove
check "gpg-agent.conf is as it was" cmp "$DIR/before.conf" "$DIR/laptop.gpg/gpg-agent.conf"
check "no file of ours is left" sh -c "! ls '$DIR/laptop.gpg/halfkey-scd.conf' '$DIR'/laptop.gpg/private-keys-v1.d/*.key 2>/dev/null | grep ."
fails "nor the certificate" "not found\|no public key" laptop gpg --batch --list-keys ann@example.org
fails "twice is an error" "was not set up" laptop halfkey gpg setup --remove
check "a revoked device can be tidied too" phone halfkey gpg setup --remove
check "its configuration was not there before" test ! -e "$DIR/phone.gpg/gpg-agent.conf"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
