/* disk.h - a service whose disk fails under it, and what it has promised by then.
 *
 * A script of everything that changes its state is played by test clients, which note what was acknowledged.
 * When the disk has failed or the process has died, hk_disk_check starts it again (if it does not run) and
 * asserts that all that was acknowledged is so, and that what was not is done or not done, never half. */
#ifndef HALFKEY_TESTS_DISK_H
#define HALFKEY_TESTS_DISK_H

#include <stdbool.h>

#include "tests/support/attack.h"

struct hk_disk {
    struct hk_attack attack;
    char fault[160];             /* the file that HK_FAULT names */
    struct hk_test_device guest; /* enrolled and revoked in the script */
    struct hk_test_enrolment enrolment;
    struct hk_test_epoch next;
    unsigned round;
    uint64_t leaves; /* at the round's begin */
    /* what was acknowledged in this round */
    unsigned signed_count;
    bool asked, confirmed, enrolled, revoked;
};

void hk_disk_begin(struct hk_disk *disk);
void hk_disk_end(struct hk_disk *disk);

/* From now on: "KIND FIRST COUNT" as in protocol/seam_file.h, or "" for a disk that is whole. */
void hk_disk_fault(struct hk_disk *disk, const char *kind, unsigned first, unsigned count);
void hk_disk_repair(struct hk_disk *disk);
/* Whether something went wrong since hk_disk_fault. */
bool hk_disk_was_hit(const struct hk_disk *disk) HK_CHECK;

/* Plays the script until something is not acknowledged: signatures, a refresh, an enrolment, a
 * revocation. Returns the error that ended it; HK_OK: it was played to its end. */
enum hk_error hk_disk_play(struct hk_disk *disk);
/* Asserts what was promised, and that `halfkeyd check` finds nothing wrong after a start; the disk must be
 * whole. Brings clients and service to one state for the next round. */
void hk_disk_check(struct hk_disk *disk);

#endif
