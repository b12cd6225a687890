/* The table of commands: everything that is known about the command line, in one place. */
#include <stdio.h>

#include "device/cmd.h"

#define KEY(what)                                                                                            \
    {                                                                                                        \
        "key", 'k', "NAME", what, false                                                                      \
    }
#define KEY_NEEDED(what)                                                                                     \
    {                                                                                                        \
        "key", 'k', "NAME", what, true                                                                       \
    }
#define OUTPUT                                                                                               \
    {                                                                                                        \
        "output", 'o', "OUT", "write there; nothing is left there on failure", false                         \
    }
#define NO_PASSPHRASE                                                                                        \
    {                                                                                                        \
        "no-passphrase", 0, NULL, "do not seal this device's state; whoever reads it can use it", false      \
    }
#define DEVICE                                                                                               \
    {                                                                                                        \
        "device", 0, "NAME", "what this device is to be called", true                                        \
    }
#define SERVICE                                                                                              \
    {                                                                                                        \
        "service", 0, "ADDRESS", "the key service's address, as 'halfkeyd address' prints it", true          \
    }

const struct hk_command hk_commands[] = {
    {"", "", 0, 0, "Show the state of this device: account, service, keys, epoch, last use, log.",
     hk_cmd_state, .json = true, .agent = true,
     .options = {{"version", 0, NULL, "print the version and end", false}}},
    {"init", "", 0, 0, "Make an account at a key service, with this device as its administrator.",
     hk_cmd_init, .json = true, .agent = true,
     .options =
         {SERVICE, DEVICE, NO_PASSPHRASE, {"no-recovery", 0, NULL, "do not ask for recovery shares", false}}},
    {"unlock", "", 0, 0, "Open this device's halves with the passphrase.", hk_cmd_unlock, .agent = true},
    {"lock", "", 0, 0, "Wipe this device's halves from memory until 'unlock'.", hk_cmd_lock, .json = false},
    {"passphrase", "", 0, 0, "Change this device's passphrase, or take it away.", hk_cmd_passphrase,
     .agent = true, .options = {{"remove", 0, NULL, "have none from now on", false}}},
    {"agent", "", 0, 0,
     "Run the agent that holds the unlocked halves; other commands start it by themselves.", hk_cmd_agent,
     .options = {{"timeout", 0, "TIME",
                  "lock after so long without a command: 90, 15m (default), 8h, 0 never", false},
                 {"refresh-time", 0, "TIME", "make new halves after so long: 168h (default), 0 never", false},
                 {"refresh-uses", 0, "N", "and after so many uses: 10000 (default), 0 never", false},
                 {"print-socket", 0, NULL, "print the path for SSH_AUTH_SOCK and end", false},
                 {"ssh-socket", 0, "PATH", "where SSH's clients find it", false},
                 {"fallback", 0, "SOCKET", "the agent that is asked for other keys than the account's",
                  false},
                 {"stop", 0, NULL, "end the agent that runs", false},
                 {"daemon", 0, NULL, "go into the background", false}}},
    {"key create", "NAME", 1, 1, "Make a key that is nowhere whole.", hk_cmd_key_create, .json = true,
     .agent = true,
     .options =
         {{"suite", 0, "SUITE",
           "x25519 or secp256k1-ecdh to decrypt; ed25519, secp256k1-schnorr or secp256k1-ecdsa to sign",
           true}}},
    {"key list", "", 0, 0, "List the account's keys.", hk_cmd_key_list, .json = true, .agent = true},
    {"key export", "NAME", 1, 1, "Print a key's public part, or an identity for age-plugin-halfkey.",
     hk_cmd_key_export, .agent = true,
     .options = {{"format", 0, "age|age-identity|ssh|xonly|raw|pem", "how to print it", true}}},
    {"key import", "NAME FILE", 2, 2, "Split a private key that exists; '-' reads standard input.",
     hk_cmd_key_import, .json = true, .agent = true,
     .options = {{"format", 0, "age-identity|raw|wif|ssh", "what FILE holds", true},
                 {"suite", 0, "SUITE", "what the key is for (x25519; ssh: ed25519); wif needs it", false}}},
    {"key rotate", "NAME", 1, 1, "Make a key in the place of an old one, which signs for it.",
     hk_cmd_key_rotate, .json = true, .agent = true,
     .options = {{"as", 0, "NEW", "what the new key is called (NAME-2)", false}}},
    {"key link", "NAME", 1, 1, "Print what an old key has signed for the one in its place.", hk_cmd_key_link,
     .agent = true,
     .options = {{"output", 'o', "OUT", "write it there, and the signature to OUT.sig", false}}},
    {"key delete", "NAME", 1, 1, "Erase a key at the service and on every device.", hk_cmd_key_delete,
     .agent = true, .options = {{"yes", 0, NULL, "do not ask", false}}},
    {"key allow", "NAME", 1, 1, "Show or set what SSH's programs may use a key for, on all devices.",
     hk_cmd_key_allow, .json = true, .agent = true,
     .options = {{"namespaces", 0, "LIST", "signatures in these: any, none, or git,file,...", false},
                 {"hosts", 0, "LIST", "logins at these: any, none, or names that known_hosts has", false},
                 {"known-hosts", 0, "FILE", "look for their keys there", false},
                 {"forwarded", 0, "ask|no|yes", "from another host, through ssh -A", false}}},
    {"agree", "HEX...", 1, HK_AGREE_POINTS_MAX, "Print the shared secrets with these public keys.",
     hk_cmd_agree, .json = true, .agent = true,
     .options = {KEY_NEEDED("the key to agree with"),
                 {"prove", 0, NULL, "have the service prove its part", false}}},
    {"encrypt", "[FILE]", 0, 1, "Encrypt a file as age does.", hk_cmd_encrypt, .agent = true,
     .options = {{"recipient", 'r', "age1...", "for whom; may be repeated", false},
                 KEY("for a key of this account; may be repeated"),
                 {"armor", 'a', NULL, "as text", false},
                 OUTPUT}},
    {"decrypt", "[FILE]", 0, 1, "Decrypt an age file with keys of this account.", hk_cmd_decrypt,
     .json = true, .agent = true, .options = {KEY("only with this key"), OUTPUT}},
    {"sign", "[FILE]", 0, 1, "Sign a file; the ssh format goes to FILE.sig.", hk_cmd_sign, .agent = true,
     .options = {KEY_NEEDED("the key to sign with"),
                 {"format", 0, "raw|ssh|schnorr|der|compact",
                  "the bare signature, one as ssh-keygen -Y makes it, BIP-340's, ECDSA's in DER, or with its "
                  "recovery id",
                  true},
                 {"digest", 0, "HEX", "sign these 32 bytes in place of FILE (not Ed25519)", false},
                 {"tweak-root", 0, "HEX",
                  "sign for the taproot output with this Merkle root; '' where there are no scripts", false},
                 {"namespace", 'n', "NAMESPACE", "what an ssh signature is for (file)", false},
                 OUTPUT}},
    {"verify", "[FILE]", 0, 1, "Check a signature.", hk_cmd_verify, .json = true, .agent = true,
     .options = {{"format", 0, "raw|ssh|schnorr|der|compact", "what kind of signature", true},
                 {"digest", 0, "HEX", "of these 32 bytes in place of FILE", false},
                 {"tweak-root", 0, "HEX", "by the taproot output with this Merkle root", false},
                 KEY("by this key of the account"),
                 {"public", 0, "PUBLIC", "by this public key: a .pub file, its line, or digits", false},
                 {"signature", 's', "SIG", "where the signature is (FILE.sig)", false},
                 {"namespace", 'n', "NAMESPACE", "what an ssh signature must be for (file)", false}}},
    {"gpg setup", "", 0, 0, "Have gpg on this device use the account's keys.", hk_cmd_gpg_setup,
     .agent = true,
     .options = {KEY("make a certificate for this key, which is to sign; with --user-id"),
                 {"decryption-key", 0, "NAME", "and this one is to decrypt", false},
                 {"user-id", 0, "TEXT", "whose it is, such as 'Ann <ann@example.org>'", false},
                 {"homedir", 0, "DIR", "GnuPG's folder ($GNUPGHOME, or ~/.gnupg)", false},
                 {"remove", 0, NULL, "undo all of it on this device", false}}},
    {"gpg import", "NAME FILE", 2, 2,
     "Split a key that 'gpg --export-secret-keys' wrote; '-' reads standard input.", hk_cmd_gpg_import,
     .agent = true},
    {"gpg export", "[NAME]", 0, 1,
     "Print a key's certificate for other people, or put it where they find it.", hk_cmd_gpg_export,
     .agent = true,
     .options = {{"binary", 0, NULL, "not as text", false},
                 {"wkd", 0, "DIR", "into a web key directory: DIR/hu/ and DIR/policy", false},
                 OUTPUT}},
    {"mail setup", "", 0, 0, "Have Thunderbird sign and decrypt with a key that gpg has.", hk_cmd_mail_setup,
     .agent = true,
     .options = {{"profile", 0, "DIR",
                  "Thunderbird's profile; its identity is found by the certificate's address", true},
                 KEY("this key's certificate, if there are several"),
                 {"remove", 0, NULL, "put its preferences back", false}}},
    {"device invite", "", 0, 0, "Print a code with which one new device can join.", hk_cmd_device_invite,
     .json = true, .agent = true},
    {"device join", "CODE", 1, 1, "Enrol this device with a code from an administrator's.",
     hk_cmd_device_join, .json = true, .agent = true, .options = {DEVICE, NO_PASSPHRASE}},
    {"device approve", "", 0, 0, "Let the device that has joined become one of the account's.",
     hk_cmd_device_approve, .json = true, .agent = true,
     .options = {{"words", 0, "WORDS", "yes, if the new device shows these six words", false}}},
    {"device list", "", 0, 0, "List the account's devices.", hk_cmd_device_list, .json = true, .agent = true},
    {"device rename", "OLD NEW", 2, 2, "Give a device another name.", hk_cmd_device_rename, .agent = true},
    {"device revoke", "NAME", 1, 1, "End a device: what it holds is of no use any more.",
     hk_cmd_device_revoke, .agent = true},
    {"device suspend", "NAME", 1, 1, "Stop a device until 'device resume'; nothing that it holds is erased.",
     hk_cmd_device_suspend, .agent = true},
    {"device resume", "NAME", 1, 1, "Let a suspended device go on.", hk_cmd_device_resume, .agent = true},
    {"device update", "NAME", 1, 1, "Hand over the keys that a device lacks, now; it happens by itself.",
     hk_cmd_device_update, .json = true, .agent = true},
    {"device promote", "NAME", 1, 1,
     "Make a device an administrator's; it waits, unless another one approves.", hk_cmd_device_promote,
     .agent = true},
    {"changes", "", 0, 0, "List what waits: promotions, ends of administrators, other recovery sets.",
     hk_cmd_changes, .json = true, .agent = true},
    {"changes approve", "promote|revoke|recovery NAME", 2, 2,
     "Let a change that another administrator asked for go ahead.", hk_cmd_changes_approve, .agent = true},
    {"changes cancel", "promote|revoke|recovery NAME", 2, 2, "Cancel a change that waits.",
     hk_cmd_changes_cancel, .agent = true},
    {"recovery create", "", 0, 0, "Split every key among holders, of whom so many bring the account back.",
     hk_cmd_recovery_create, .agent = true,
     .options = {{"threshold", 't', "T", "how many of them are enough", true},
                 {"shares", 's', "N", "how many there are", true},
                 {"out", 0, "FOLDER", "where the shares are written", true},
                 {"holder", 0, "age1...", "a person's key in place of a written share; may be repeated",
                  false}}},
    {"recovery export", "", 0, 0,
     "Write the recovery set, which opens nothing, with the keys that joined it since.",
     hk_cmd_recovery_export, .agent = true, .options = {{"output", 'o', "OUT", "write it there", true}}},
    {"recovery test", "[SHARE]", 0, 1, "Say whether a share is good, without showing it.",
     hk_cmd_recovery_test, .agent = true,
     .options = {KEY("the share is sealed to this key of the account here"),
                 {"set", 0, "FILE", "the recovery set (the one of this device)", false}}},
    {"recovery give", "REQUEST", 1, 1, "Answer a new device's request with what a share contributes.",
     hk_cmd_recovery_give, .agent = true,
     .options = {{"share", 0, "SHARE", "the share: a file, or its words", false},
                 KEY("the share is sealed to this key of the account here"),
                 {"set", 0, "FILE", "the recovery set (the one of this device)", false},
                 {"words", 0, "WORDS", "yes, if the new device shows these six words", false},
                 {"output", 'o', "OUT", "write the answer there", true}}},
    {"recover", "", 0, 0, "Bring an account back on a new device, from shares, at any service.",
     hk_cmd_recover, .agent = true,
     .options = {SERVICE,
                 DEVICE,
                 {"share", 0, "SHARE", "a share: a file, or its words; may be repeated", false},
                 {"set", 0, "FILE", "the recovery set, where the service does not have it", false},
                 {"account", 0, "HEX", "whose set to ask the service for (as the share says)", false},
                 {"holder", 0, "N", "a holder who will answer; may be repeated", false},
                 {"request", 0, "FILE", "write the request to holders there", false},
                 {"answer", 0, "FILE", "a holder's answer; may be repeated", false},
                 NO_PASSPHRASE}},
    {"revoke", "", 0, 0, "End a device from any machine, with its certificate or printed code.",
     hk_cmd_revoke,
     .options = {SERVICE,
                 {"certificate", 0, "FILE", "the device's revocation certificate", false},
                 {"code", 0, "WORDS", "the twelve words of its printed form", false}}},
    {"refresh", "", 0, 0, "Make new halves of all keys on this device; old copies become useless.",
     hk_cmd_refresh, .json = true, .agent = true},
    {"log", "", 0, 0, "Show every use of the account's keys, or verify that nothing was changed.", hk_cmd_log,
     .json = true, .agent = true,
     .options = {{"verify", 0, NULL, "check the whole log and print its head", false},
                 {"head", 0, NULL, "print the head as one line, for 'log --against' on another device",
                  false},
                 {"against", 0, "HEAD", "hold it against another device's head: the line, or a file", false},
                 {"start", 0, "N", "from this entry on", false},
                 {"count", 0, "N", "so many entries (the last 50)", false}}},
    {"log accept", "", 0, 0, "Go on with a log that the service has begun anew, as after a restored backup.",
     hk_cmd_log_accept, .json = true, .agent = true, .options = {{"yes", 0, NULL, "do not ask", false}}},
    {"help", "", 0, 0, "List the commands.", hk_cmd_help, .hidden = true,
     .options = {{"man-synopsis", 0, NULL, "print the synopsis of the manual", false},
                 {"bash-completion", 0, NULL, "print a completion script for bash", false}}},
};
const size_t hk_command_count = sizeof hk_commands / sizeof *hk_commands;

int hk_cmd_help(const struct hk_call *call)
{
    if (hk_call_option(call, "man-synopsis"))
        hk_command_print_synopsis(stdout);
    else if (hk_call_option(call, "bash-completion"))
        hk_command_print_completion(stdout);
    else
        hk_command_print_list(stdout);
    return 0;
}
