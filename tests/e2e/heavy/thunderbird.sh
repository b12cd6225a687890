#!/bin/bash
# Stock Thunderbird, under Xvfb, opens an encrypted message in its message pane with a key that no machine holds: through
# external GnuPG, as 'halfkey mail setup' has told it. Last line: N passed, N failed.
set -u
cd "$(dirname "$0")/../../.." || exit 2
HERE=$PWD/tests/e2e/heavy
BIN=$(cd "${BUILD:-build}" && pwd)
DIR=$(mktemp -d /tmp/hk-mail.XXXXXX)
[ "$(id -u)" != 0 ] || export HALFKEYD_USER=root
export PATH="$BIN:$PATH" XDG_CONFIG_HOME="$DIR/config" HOME="$DIR/user" LC_ALL=C.UTF-8
export HALFKEY_HOME="$DIR/laptop" GNUPGHOME="$DIR/gpg"
unset XDG_RUNTIME_DIR HALFKEY_SERVICE HALFKEY_KEY GPG_TTY DISPLAY WAYLAND_DISPLAY
passed=0; failed=0; service=; display=; mail=
PROFILE=$DIR/profile; PORT=28283
mkdir -p "$HOME" "$PROFILE/Mail/Local Folders"; mkdir -m 700 "$GNUPGHOME"
clean_up() {
    { gpgconf --kill all; halfkey agent --stop; } >/dev/null 2>&1
    for pid in $mail $display $service; do kill "$pid"; wait "$pid"; done 2>/dev/null
    rm -rf "$DIR"
}
trap clean_up EXIT
check() { # WHAT COMMAND...: it must succeed
    local what=$1; shift
    if timeout 120 "$@" >"$DIR/out" 2>"$DIR/err" </dev/null; then passed=$((passed + 1)); echo "ok    $what"
    else failed=$((failed + 1)); echo "FAIL  $what: exit $?"; tail -n 8 "$DIR/out" "$DIR/err"; fi
}
if ! command -v thunderbird >/dev/null || ! command -v Xvfb >/dev/null; then
    echo "thunderbird: needs thunderbird, xvfb and libgpgme11"; echo "0 passed, 1 failed"; exit 1
fi

# ---- an account, a certificate, a letter ----
halfkeyd --data "$DIR/service" --listen "ipc://$DIR/socket" >"$DIR/ready" 2>"$DIR/service.log" & service=$!
for _ in $(seq 500); do grep -q '^halfkeyd ready' "$DIR/ready" && break; sleep 0.02; done
check "init" halfkey init --service "$(sed -n 's/^halfkeyd ready //p' "$DIR/ready")" --device laptop --no-passphrase
check "a key to sign" halfkey key create mail --suite ed25519
check "a key to decrypt" halfkey key create box --suite x25519
check "setup" halfkey gpg setup --key mail --decryption-key box --user-id "Ann <ann@example.org>"
printf 'Content-Type: text/plain; charset=utf-8\r\n\r\nthe plan is good\r\n' >"$DIR/inner"
check "a letter" gpg --batch --quiet --armor -e -s -r ann@example.org -o "$DIR/inner.asc" "$DIR/inner"
{
    cat <<'M'
From: Bob <bob@example.org>
To: Ann <ann@example.org>
Subject: ...
Date: Mon, 1 Jan 2024 00:00:00 +0000
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="halfkey-letter-1"

--halfkey-letter-1
Content-Type: application/pgp-encrypted

Version: 1

--halfkey-letter-1
Content-Type: application/octet-stream; name="encrypted.asc"
Content-Disposition: inline; filename="encrypted.asc"

M
    cat "$DIR/inner.asc"; printf '\n--halfkey-letter-1--\n'
} | sed 's/$/\r/' >"$DIR/letter.eml"

# ---- a profile with one identity and local folders ----
cat >"$PROFILE/prefs.js" <<P
user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("mail.account.account1.identities", "id1");
user_pref("mail.account.account1.server", "server1");
user_pref("mail.accountmanager.accounts", "account1");
user_pref("mail.accountmanager.defaultaccount", "account1");
user_pref("mail.accountmanager.localfoldersserver", "server1");
user_pref("mail.identity.id1.fullName", "Ann");
user_pref("mail.identity.id1.useremail", "ann@example.org");
user_pref("mail.identity.id1.valid", true);
user_pref("mail.provider.enabled", false);
user_pref("mail.server.server1.directory-rel", "[ProfD]Mail/Local Folders");
user_pref("mail.server.server1.hostname", "Local Folders");
user_pref("mail.server.server1.name", "Local Folders");
user_pref("mail.server.server1.type", "none");
user_pref("mail.server.server1.userName", "nobody");
user_pref("mail.shell.checkDefaultClient", false);
user_pref("mailnews.start_page.enabled", false);
user_pref("marionette.port", $PORT);
user_pref("network.manage-offline-status", false);
P
: >"$PROFILE/Mail/Local Folders/Inbox"
# Puts the letter into the inbox, opens it as a click does, and waits for its text in the message pane.
cat >"$DIR/script.js" <<J
const done = arguments[arguments.length - 1];
const wait = time => new Promise(resolve => setTimeout(resolve, time));
(async () => {
  const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
  const inbox = MailServices.accounts.localFoldersServer.rootFolder.getChildNamed("Inbox");
  await new Promise(resolve => {
    const listener = { onStartRunningUrl() {}, onStopRunningUrl: resolve, OnStartRunningUrl() {}, OnStopRunningUrl: resolve };
    try { inbox.QueryInterface(Ci.nsIMsgLocalMailFolder).getDatabaseWithReparse(listener, null); resolve(); } catch (e) {}
    setTimeout(resolve, 5000);
  });
  const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
  file.initWithPath("$DIR/letter.eml");
  await new Promise(resolve => MailServices.copy.copyFileMessage(file, inbox, null, false, 0, "", {
    onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; }, onStopCopy: resolve }, null));
  let text = "";
  for (let tries = 0; tries < 30 && !text.includes("the plan is good"); tries++) {
    await wait(500);
    const tabs = Services.wm.getMostRecentWindow("mail:3pane")?.document.getElementById("tabmail");
    const pane = tabs?.currentAbout3Pane;
    if (!pane?.displayFolder || !pane.threadTree) continue;
    if (tries % 8 == 0 || !text) pane.displayFolder(inbox.URI);
    if (pane.threadTree.selectedIndex != 0) pane.threadTree.selectedIndex = 0;
    text = tabs.currentAboutMessage?.getMessagePaneBrowser()?.contentDocument?.body?.textContent ?? "";
  }
  done({ text });
})().catch(error => done({ error: String(error) }));
J
exec 7>"$DIR/display"; Xvfb -displayfd 7 -screen 0 1024x768x24 -nolisten tcp >/dev/null 2>&1 & display=$!
for _ in $(seq 100); do [ -s "$DIR/display" ] && break; sleep 0.1; done
open_letter() { # what Thunderbird shows goes to $DIR/shown
    DISPLAY=:$(cat "$DIR/display") MOZ_CRASHREPORTER_DISABLE=1 /usr/lib/thunderbird/thunderbird --name=thunderbird --marionette \
        --remote-allow-system-access --profile "$PROFILE" --no-remote >"$DIR/thunderbird.log" 2>&1 & mail=$!
    timeout 120 "$HERE/marionette" $PORT "$DIR/script.js" >"$DIR/shown" 2>"$DIR/err"
    kill $mail 2>/dev/null; wait $mail 2>/dev/null; mail=
    [ -s "$DIR/shown" ]
}
uses() { halfkey log --json | jq '[.[] | select(.operation == "agree")] | length'; }

# ---- without and with ----
open_letter; check "Thunderbird opens the letter" test -s "$DIR/shown"
check "and shows its head" grep -q "ann@example.org" "$DIR/shown"
check "not its text: it has no key" bash -c "! grep -q 'the plan is good' '$DIR/shown'"
check "and none was used" test "$(uses)" = 0
check "mail setup" halfkey mail setup --profile "$PROFILE"
rm -f "$PROFILE/Mail/Local Folders/"Inbox*; : >"$PROFILE/Mail/Local Folders/Inbox"
open_letter; check "Thunderbird opens the letter again" test -s "$DIR/shown"
check "and shows its text" grep -q "the plan is good" "$DIR/shown"
check "which took a share operation" test "$(uses)" -ge 1
check "what it wrote itself meanwhile does not stand in the way" halfkey mail setup --profile "$PROFILE" --remove
check "its preferences name no key any more" bash -c "! grep -q 'openpgp_key_id\\|is_gnupg_key_id\\|allow_external_gnupg' '$PROFILE/prefs.js'"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
