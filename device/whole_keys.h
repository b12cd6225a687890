/* whole_keys.h - where an imported key still lies whole: private keys of OpenSSH in ~/.ssh.
 *
 * A key that was imported is as safe as its worst copy. The public part of OpenSSH's files is not sealed, so
 * they can be told without a passphrase; nothing secret is read into a decision, and files are not kept open
 * or changed. Only plain files of this user directly in that folder are looked at. */
#ifndef HALFKEY_DEVICE_WHOLE_KEYS_H
#define HALFKEY_DEVICE_WHOLE_KEYS_H

#include "device/agent_protocol.h"

/* Calls `found` for each file that holds the whole of a key among `rows` (encoded hk_agent_key_row). */
typedef void (*hk_whole_key_fn)(void *context, const char *path, const struct hk_agent_key_row *row);
void hk_whole_keys_find(const struct hk_value *rows, hk_whole_key_fn found, void *context);

#endif
