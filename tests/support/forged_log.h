/* forged_log.h - a service's log rewritten by who runs it: leaves dropped, changed, put in another order or
 * made up, and the tree over them made anew, so that the real service then signs and proves it like any
 * other. */
#ifndef HALFKEY_TESTS_FORGED_LOG_H
#define HALFKEY_TESTS_FORGED_LOG_H

#include "protocol/object.h"
#include "tests/support/service.h"

#define HK_FORGED_LEAVES 512

struct hk_forged_log {
    size_t count;
    struct {
        size_t size;
        uint8_t bytes[HK_SMALL_OBJECT_MAX];
    } leaf[HK_FORGED_LEAVES];
};

/* The newest generation of the log of the store's only account; the service must be stopped. */
void hk_forged_read(struct hk_forged_log *log, const struct hk_test_service *service);
void hk_forged_write(const struct hk_forged_log *log, const struct hk_test_service *service);

void hk_forged_drop(struct hk_forged_log *log, size_t index);
void hk_forged_swap(struct hk_forged_log *log, size_t one, size_t other);
void hk_forged_append(struct hk_forged_log *log, const struct hk_leaf *leaf);
/* The last leaf of that operation; fails the test if there is none. */
size_t hk_forged_find(const struct hk_forged_log *log, uint64_t op, struct hk_leaf *leaf);

#endif
