/* refresh_model.h - the refresh protocol as an explicit-state model (docs/protocol.md, Refresh): every state
 * that a device, a service, a lossy network and a copy of the device can get into.
 *
 * A version stands for what one epoch has: tag, and halves that fit. Versions, seeds and sessions are numbers
 * that are renamed after every step, so the space is finite and is explored whole, without a bound on depth;
 * only the number of frames in flight is bounded. Frames are lost, delayed, reordered, and delivered again as
 * often as one likes (more than the channel allows). Both sides crash before a write, after it, and after the
 * write but before the send. Waiting 24 hours for a pending epoch to be dropped is a step, but not one that
 * recovery may need.
 *
 * Checked: no honest device is refused as stale unless a copy has made it so; some holder always has the half
 * that fits the service's; from every state the device gets back to a common epoch without a crash, a copy or
 * a day going by, unless a copy has taken the epoch over. And that deliberately broken protocols are found
 * out. */
#ifndef HALFKEY_TESTS_SUPPORT_REFRESH_MODEL_H
#define HALFKEY_TESTS_SUPPORT_REFRESH_MODEL_H

#include "tests/support/state_space.h"

/* What is wrong with the protocol under test: the self-check of this model. */
enum refresh_fault {
    REFRESH_SOUND,
    REFRESH_ERASES_BEFORE_ANSWER,   /* device erases d_e when it stores d' */
    REFRESH_CONFIRMS_BEFORE_STORED, /* device sends the confirm while d' is not durable */
    REFRESH_ANSWERS_BEFORE_STORED,  /* service answers a confirm that is not durable */
    REFRESH_LATE_FRAMES_JUDGED,     /* refresh and confirm close no older sessions */
    REFRESH_NEVER_ALREADY,          /* service takes a repeated confirm for a stale one */
    REFRESH_DROPS_WRONG_HALF,       /* unknown-tag makes the device drop d_e instead of d' */
    REFRESH_IGNORES_UNKNOWN_TAG     /* the device holds on to both epochs */
};

/* Explores the whole space and prints how large it was. `with_copy`: the device's file may be copied once, at
 * any time. At most `net_max` (3) frames are in flight. */
struct hk_space_result refresh_model_explore(enum refresh_fault fault, bool with_copy, size_t net_max);

#endif
