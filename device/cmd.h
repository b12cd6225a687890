/* cmd.h - the functions behind the rows of the command table, and what several of them share. */
#ifndef HALFKEY_DEVICE_CMD_H
#define HALFKEY_DEVICE_CMD_H

#include "device/console.h"

int hk_cmd_state(const struct hk_call *call);
int hk_cmd_init(const struct hk_call *call);
int hk_cmd_agent(const struct hk_call *call);
int hk_cmd_unlock(const struct hk_call *call);
int hk_cmd_lock(const struct hk_call *call);
int hk_cmd_passphrase(const struct hk_call *call);
int hk_cmd_key_create(const struct hk_call *call);
int hk_cmd_key_list(const struct hk_call *call);
int hk_cmd_key_export(const struct hk_call *call);
int hk_cmd_key_allow(const struct hk_call *call);
int hk_cmd_key_import(const struct hk_call *call);
int hk_cmd_device_promote(const struct hk_call *call);
int hk_cmd_changes(const struct hk_call *call);
int hk_cmd_changes_approve(const struct hk_call *call);
int hk_cmd_changes_cancel(const struct hk_call *call);
/* Rows of HK_AGENT_CHANGES, for people. */
void hk_print_changes(const struct hk_value *rows);
int hk_cmd_recovery_create(const struct hk_call *call);
int hk_cmd_recovery_export(const struct hk_call *call);
int hk_cmd_recovery_test(const struct hk_call *call);
int hk_cmd_recovery_give(const struct hk_call *call);
int hk_cmd_recover(const struct hk_call *call);
int hk_cmd_key_rotate(const struct hk_call *call);
int hk_cmd_key_link(const struct hk_call *call);
int hk_cmd_key_delete(const struct hk_call *call);
int hk_cmd_agree(const struct hk_call *call);
int hk_cmd_encrypt(const struct hk_call *call);
int hk_cmd_decrypt(const struct hk_call *call);
int hk_cmd_sign(const struct hk_call *call);
int hk_cmd_verify(const struct hk_call *call);
int hk_cmd_gpg_setup(const struct hk_call *call);
int hk_cmd_gpg_import(const struct hk_call *call);
int hk_cmd_gpg_export(const struct hk_call *call);
int hk_cmd_mail_setup(const struct hk_call *call);
int hk_cmd_device_invite(const struct hk_call *call);
int hk_cmd_device_join(const struct hk_call *call);
int hk_cmd_device_approve(const struct hk_call *call);
int hk_cmd_device_list(const struct hk_call *call);
int hk_cmd_device_rename(const struct hk_call *call);
int hk_cmd_device_revoke(const struct hk_call *call);
int hk_cmd_device_suspend(const struct hk_call *call);
int hk_cmd_device_resume(const struct hk_call *call);
int hk_cmd_device_update(const struct hk_call *call);
int hk_cmd_revoke(const struct hk_call *call);
int hk_cmd_refresh(const struct hk_call *call);
int hk_cmd_log(const struct hk_call *call);
int hk_cmd_log_accept(const struct hk_call *call);
int hk_cmd_help(const struct hk_call *call);

/* The program under its other name, age-plugin-halfkey. */
int hk_plugin_main(int argc, char **argv);
/* And under halfkey-scd. */
int hk_scd_main(int argc, char **argv);

/* Reads a whole file ("-": standard input) of at most max - 1 bytes and puts a zero behind it. `out` may be
 * secret memory. HK_IO, HK_TOO_LARGE. */
HK_CHECK enum hk_error hk_read_file(const char *path, void *out, size_t max, size_t *size);
/* Writes a file so that it appears whole or not at all. */
HK_CHECK enum hk_error hk_write_file(const char *path, const void *data, size_t size);
/* Prints "halfkey: PATH: why" for the errno of a failed file operation; the exit status. */
HK_CHECK int hk_fail_file(const char *path);

/* A new passphrase for the request `message`, unless --no-passphrase was given; `memory` is HK_PASSPHRASE_MAX
 * bytes of hk_secret_new that must live until the request is asked. */
HK_CHECK int hk_new_passphrase(const struct hk_call *call, struct hk_agent_message *message, char *memory);

/* Writes a device's revocation certificate and its printed form into the state folder and says where. `words`
 * are the twelve of the code. */
HK_CHECK int hk_keep_certificate(const char *device, const struct hk_agent_message *answer, bool quiet);

/* Prints the identity of a key for age-plugin-halfkey, with its comment lines. */
void hk_print_identity(FILE *file, const uint8_t account[HK_ACCOUNT_BYTES],
                       const struct hk_agent_key_row *row);

/* The row of the key with this name (by HK_AGENT_KEY_LIST). Prints what is wrong. */
HK_CHECK int hk_find_key(struct hk_console *console, const char *name, struct hk_agent_key_row *row);
/* The account's whole name, of an unlocked agent. */
HK_CHECK int hk_find_account(struct hk_console *console, uint8_t account[HK_ACCOUNT_BYTES]);

/* Prints the key that was just made: what other people are given, or all of it with --json. */
void hk_print_made(const struct hk_console *console, const char *name, uint64_t suite);

/* Makes a key (HK_AGENT_KEY_CREATE). */
HK_CHECK int hk_make_key(struct hk_console *console, const char *name, uint64_t suite);

#endif
