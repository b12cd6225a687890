#include "device/dealing.h"

#include <string.h>

#include "protocol/seam.h"

enum hk_error hk_dealing_add(struct hk_key_dealing *dealing, const struct hk_state_key *key,
                             struct hk_join_key *given)
{
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    struct hk_scalar kept, passed;
    HK_WIPE_AT_EXIT(kept);
    HK_WIPE_AT_EXIT(passed);
    bool listed = key->profiled || key->purpose == HK_PURPOSE_ACCOUNT;
    if (suite == NULL || key->state != HK_KEY_ACTIVE || !listed || dealing->count == HK_KEYS_MAX) {
        return HK_LOCKED;
    }
    struct hk_enrol_key *public = &dealing->keys[dealing->count];
    *public = (struct hk_enrol_key){.id = key->id, .suite = suite, .public_key = key->public_key};
    enum hk_error error =
        hk_enrol_split(&public->administrator, &kept, &passed, suite->group, key->public_key, &key->half);
    if (error != HK_OK) {
        return error;
    }
    HK_TELL("a", kept.bytes, 32);
    HK_TELL("p", passed.bytes, 32);
    struct hk_point point;
    suite->group->base_mul(&point, &key->half);
    memcpy(given->id, key->id, HK_ID_BYTES);
    given->suite = key->suite;
    memcpy(given->device_point, point.bytes, suite->group->point_bytes);
    memcpy(given->commitment, public->administrator.kept, suite->group->point_bytes);
    memcpy(given->passed, public->administrator.passed, suite->group->point_bytes);
    memcpy(given->kept, kept.bytes, suite->group->scalar_bytes);
    memcpy(dealing->ids[dealing->count], key->id, HK_ID_BYTES);
    dealing->subshares[dealing->count++] = passed;
    return HK_OK;
}

/* One element for each key, of its suite's length; a list at a time, as hk_message_append wants them. */
void hk_dealing_put(const struct hk_key_dealing *dealing, struct hk_message *request)
{
    hk_message_set_array(request, HK_F_KEYS, dealing->ids, HK_ID_BYTES, dealing->count);
    hk_message_set_list(request, HK_F_KEPT, NULL, 0);
    for (size_t i = 0; i < dealing->count; i++) {
        const struct hk_group *group = dealing->keys[i].suite->group;
        hk_message_append(request, HK_F_KEPT, dealing->keys[i].administrator.kept, group->point_bytes);
    }
    hk_message_set_list(request, HK_F_PASSED, NULL, 0);
    for (size_t i = 0; i < dealing->count; i++) {
        const struct hk_group *group = dealing->keys[i].suite->group;
        hk_message_append(request, HK_F_PASSED, dealing->keys[i].administrator.passed, group->point_bytes);
    }
    hk_message_set_list(request, HK_F_SUBSHARES, NULL, 0);
    for (size_t i = 0; i < dealing->count; i++) {
        const struct hk_group *group = dealing->keys[i].suite->group;
        hk_message_append(request, HK_F_SUBSHARES, dealing->subshares[i].bytes, group->scalar_bytes);
    }
}

enum hk_error hk_dealing_take(struct hk_key_dealing *dealing, const struct hk_message *answer)
{
    const struct hk_value *kept = &answer->value[HK_F_KEPT], *passed = &answer->value[HK_F_PASSED];
    if (kept->count != dealing->count || passed->count != dealing->count) {
        return HK_BAD_PEER;
    }
    for (size_t i = 0; i < dealing->count; i++) {
        size_t size = dealing->keys[i].suite->group->point_bytes;
        if (kept->items[i].size != size || passed->items[i].size != size) {
            return HK_BAD_PEER;
        }
        memcpy(dealing->keys[i].service.kept, kept->items[i].data, size);
        memcpy(dealing->keys[i].service.passed, passed->items[i].data, size);
    }
    return HK_OK;
}
