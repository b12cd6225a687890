/* The check checked: each of these leaks, and must be reported. */
#include "tests/ctcheck/ctcheck.h"

#include <fcntl.h>
#include <unistd.h>

static volatile unsigned sink;

static void branch(const struct ct_subject *subject)
{
    struct hk_scalar half;
    hk_scalar_random(subject->suite.group, &half);
    if (half.bytes[3] & 1) {
        sink++;
    }
}

static void table_lookup(const struct ct_subject *subject)
{
    static const uint8_t table[256] = {1, 2, 3};
    struct hk_scalar half;
    hk_scalar_random(subject->suite.group, &half);
    sink += table[half.bytes[5]];
}

/* What a compiler may make of a masked selection, and what comparing secrets with memcmp does. */
static void early_exit(const struct ct_subject *subject)
{
    struct hk_scalar a, b;
    hk_scalar_random(subject->suite.group, &a);
    hk_scalar_random(subject->suite.group, &b);
    for (size_t i = 0; i < 32 && a.bytes[i] == b.bytes[i]; i++) {
        sink++;
    }
}

static void system_call(const struct ct_subject *subject)
{
    struct hk_scalar half;
    hk_scalar_random(subject->suite.group, &half);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    MUST(fd >= 0 && write(fd, half.bytes, 32) == 32);
    close(fd);
}

/* libsodium's sums are let be where all they ask is whether an operand is on the curve. A decoder with
 * branches in them would be seen: it is one function further in, as this is. */
static __attribute__((noinline)) bool look_into(const uint8_t *point)
{
    return (point[31] & 0x80) != 0;
}

static void point_decoded(const struct ct_subject *subject)
{
    struct hk_scalar half;
    struct hk_point point;
    hk_scalar_random(subject->suite.group, &half);
    subject->suite.group->base_mul(&point, &half);
    if (look_into(point.bytes)) {
        sink++;
    }
}

const struct ct_row ct_rows_self[] = {
    {"seen: a branch on a half", CT_GROUP, branch},
    {"seen: a table indexed by a half", CT_GROUP, table_lookup},
    {"seen: a comparison that ends early", CT_GROUP, early_exit},
    {"seen: a half handed to a system call", CT_GROUP, system_call},
    {"seen: a branch on a secret point's coordinates", CT_GROUP, point_decoded},
    {NULL, CT_ONCE, NULL},
};
