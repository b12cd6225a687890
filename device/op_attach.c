/* A key's public attachments: what other programs need beside the key, in the signed profile for all devices.
 */
#include <stdlib.h>
#include <string.h>

#include "device/agent_core.h"

/* One attachment's place in the next profile. */
struct change {
    struct hk_op_call *call;
    char key[HK_NAME_MAX + 1];
    struct hk_bytes name, data; /* data.data NULL: taken away */
    uint8_t encoded[HK_ATTACHMENTS * (HK_ATTACHMENT_MAX + HK_NAME_MAX + 16)];
};

static struct hk_profile_key *find_key(struct hk_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->key_count; i++) {
        if (strcmp(profile->keys[i].name, name) == 0) {
            return &profile->keys[i];
        }
    }
    return NULL;
}

static size_t find_attachment(const struct hk_attachment *list, size_t count, struct hk_bytes name)
{
    size_t i = 0;
    while (i < count &&
           (list[i].name.size != name.size || memcmp(list[i].name.data, name.data, name.size) != 0)) {
        i++;
    }
    return i;
}

static enum hk_error apply(void *argument, struct hk_profile *profile)
{
    struct change *change = argument;
    struct hk_attachment list[HK_ATTACHMENTS + 1];
    size_t count = 0, size = 0;
    struct hk_profile_key *key = find_key(profile, change->key);
    if (key == NULL) {
        return hk_op_fail(change->call, HK_UNKNOWN_KEY, "there is no key '%s'", change->key);
    }
    enum hk_error error =
        key->attachments.size != 0 ? hk_attachments_decode(list, &count, key->attachments) : HK_OK;
    if (error != HK_OK) {
        return error;
    }
    size_t place = find_attachment(list, count, change->name);
    if (change->data.data != NULL) {
        list[place] = (struct hk_attachment){change->name, change->data};
        count += place == count;
    } else if (place < count) {
        list[place] = list[--count];
    }
    if (count > HK_ATTACHMENTS) {
        return hk_op_fail(change->call, HK_OVER_QUOTA, "the key '%s' has %d attachments already", change->key,
                          HK_ATTACHMENTS);
    }
    if (count > 0) {
        error = hk_attachments_encode(list, count, change->encoded, sizeof(change->encoded), &size);
    }
    if (error == HK_OK) {
        key->attachments = HK_BYTES(change->encoded, size);
    }
    return error;
}

enum hk_error hk_op_attach(struct hk_op_call *call)
{
    struct change *change = calloc(1, sizeof(*change));
    if (change == NULL) {
        return HK_NO_MEMORY;
    }
    const struct hk_value *name = &call->request->value[HK_A_NAME],
                          *data = &call->request->value[HK_A_ATTACHMENT];
    change->call = call;
    hk_agent_text(call->request, HK_A_KEY, change->key, sizeof(change->key));
    change->name = HK_BYTES(name->data, name->size);
    if (hk_agent_has(call->request, HK_A_ATTACHMENT)) {
        change->data = HK_BYTES(data->data, data->size);
    }
    enum hk_error error = hk_core_next_profile(call->core, apply, change);
    free(change);
    return error;
}

enum hk_error hk_op_attachment(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1];
    struct hk_attachment list[HK_ATTACHMENTS];
    size_t count = 0;
    const struct hk_value *wanted = &call->request->value[HK_A_NAME];
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(call->core->state, profile) : HK_NO_MEMORY;
    hk_agent_text(call->request, HK_A_KEY, name, sizeof(name));
    const struct hk_profile_key *key = error == HK_OK ? find_key(profile, name) : NULL;
    if (error == HK_OK && key == NULL) {
        error = hk_op_fail(call, HK_UNKNOWN_KEY, "there is no key '%s'", name);
    }
    if (error == HK_OK && key != NULL && key->attachments.size != 0) {
        error = hk_attachments_decode(list, &count, key->attachments);
    }
    if (error == HK_OK) {
        size_t place = find_attachment(list, count, HK_BYTES(wanted->data, wanted->size));
        if (place == count) {
            error = HK_NOT_FOUND;
        } else if (!hk_op_put(call, HK_A_ATTACHMENT, list[place].data.data, list[place].data.size)) {
            error = HK_NO_MEMORY;
        }
    }
    free(profile);
    return error;
}
