#include "device/log_check.h"

#include <sodium.h>
#include <string.h>

#include "protocol/message.h"

void hk_log_head_empty(struct hk_log_head *out, uint64_t generation)
{
    struct hk_frontier empty;
    memset(out, 0, sizeof(*out));
    out->generation = generation;
    hk_frontier_init(&empty);
    hk_frontier_root(out->root, &empty);
}

/* Errors of the transport stay what they are; a proof that does not hold is the service's word against its
 * own. */
static enum hk_error forked_unless(enum hk_error verdict)
{
    return verdict == HK_OK ? HK_OK : HK_LOG_FORKED;
}

/* That the tree of `head` extends that of `old`; both of one generation. */
static enum hk_error extends(const struct hk_log_head *old, const struct hk_log_head *head,
                             const struct hk_log_source *source)
{
    if (old->size > head->size || (old->size == head->size && memcmp(old->root, head->root, 32) != 0)) {
        return HK_LOG_FORKED;
    }
    struct hk_log_answer proof = {NULL, 0};
    if (old->size != 0 && old->size != head->size) {
        enum hk_error error =
            source->consistency(source->context, head->generation, old->size, head->size, &proof);
        if (error != HK_OK) {
            return error;
        }
    }
    return forked_unless(
        hk_merkle_verify_consistency(old->size, old->root, head->size, head->root, proof.items, proof.count));
}

enum hk_error hk_log_compare(const struct hk_log_head *one, const struct hk_log_head *other,
                             const struct hk_log_source *source)
{
    if (one->generation != other->generation) {
        return HK_NOT_FOUND;
    }
    enum hk_error error =
        one->size <= other->size ? extends(one, other, source) : extends(other, one, source);
    return error == HK_UNKNOWN_RUN ? HK_LOG_FORKED : error; /* it has no tree of that size to prove from */
}

enum hk_error hk_log_check_head(const struct hk_log_view *view, const struct hk_log_head *last,
                                const struct hk_log_head *head, const uint8_t signature[64],
                                const struct hk_log_source *source)
{
    if (hk_head_verify(HK_HEAD_OF_SERVICE, view->account, head, signature, view->identity_key) != HK_OK) {
        return HK_BAD_PEER;
    }
    if (head->generation != last->generation) {
        return head->generation < last->generation ? HK_LOG_FORKED : HK_NEEDS_APPROVAL;
    }
    return extends(last, head, source);
}

/* ---- leaves ---- */

/* The frontier of the first `start` leaves: the path of leaf `start` in the tree that ends with it consists
 * of exactly the frontier's nodes, the lowest first. What the service says is not checked here, but bound by
 * the root that comes out in the end. */
static enum hk_error ask_frontier(struct hk_frontier *frontier, const struct hk_log_head *head,
                                  uint64_t start, const struct hk_log_source *source)
{
    hk_frontier_init(frontier);
    if (start == 0) {
        return HK_OK;
    }
    struct hk_log_answer path;
    enum hk_error error = source->inclusion(source->context, head->generation, start, start + 1, &path);
    if (error != HK_OK) {
        return error;
    }
    size_t used = 0;
    for (unsigned level = 0; level < HK_MERKLE_LEVELS; level++) {
        if ((start >> level & 1) == 0) {
            continue;
        }
        if (used == path.count || path.items[used].size != HK_MERKLE_BYTES) {
            return HK_LOG_FORKED;
        }
        memcpy(frontier->node[level], path.items[used++].data, HK_MERKLE_BYTES);
    }
    frontier->size = start;
    return used == path.count ? HK_OK : HK_LOG_FORKED;
}

/* Fetches what comes next, proves it, and only then hands it on. */
static enum hk_error read_chunk(const struct hk_log_head *head, struct hk_frontier *frontier, uint64_t end,
                                const struct hk_log_source *source, hk_log_each each, void *context)
{
    uint64_t start = frontier->size, wanted = end - start < HK_LOG_CHUNK ? end - start : HK_LOG_CHUNK;
    struct hk_log_answer leaves;
    enum hk_error error = source->leaves(source->context, head->generation, start, wanted, &leaves);
    if (error != HK_OK) {
        return error;
    }
    if (leaves.count == 0 || leaves.count > wanted) {
        return HK_LOG_FORKED;
    }
    for (size_t i = 0; i < leaves.count; i++) {
        uint8_t hash[HK_MERKLE_BYTES];
        hk_merkle_leaf(hash, leaves.items[i].data, leaves.items[i].size);
        if ((error = hk_frontier_append(frontier, hash, NULL, NULL)) != HK_OK) {
            return error;
        }
    }
    struct hk_log_head so_far = {.generation = head->generation, .size = frontier->size};
    hk_frontier_root(so_far.root, frontier);
    if ((error = extends(&so_far, head, source)) != HK_OK) {
        return error;
    }
    for (size_t i = 0; i < leaves.count; i++) {
        struct hk_leaf leaf;
        error = hk_leaf_decode(&leaf, leaves.items[i].data, leaves.items[i].size);
        if (error == HK_OK) {
            error = each(context, start + i, leaves.items[i], &leaf);
        }
        if (error != HK_OK) {
            return error;
        }
    }
    return HK_OK;
}

enum hk_error hk_log_read(const struct hk_log_head *head, uint64_t start, uint64_t count,
                          const struct hk_log_source *source, hk_log_each each, void *context)
{
    if (start > head->size || count > head->size - start) {
        return HK_NOT_FOUND;
    }
    if (count == 0) {
        return HK_OK;
    }
    struct hk_frontier frontier;
    enum hk_error error = ask_frontier(&frontier, head, start, source);
    while (error == HK_OK && frontier.size < start + count) {
        error = read_chunk(head, &frontier, start + count, source, each, context);
    }
    return error;
}

/* ---- audits ---- */

struct audit {
    const struct hk_log_view *view;
    struct hk_log_own *own;
    size_t own_count;
    struct hk_log_audit *result;
};

static void note_own(struct audit *audit, const struct hk_leaf *leaf)
{
    audit->result->own_leaves++;
    for (size_t i = 0; i < audit->own_count; i++) {
        if (!audit->own[i].found && memcmp(audit->own[i].digest, leaf->digest, 32) == 0) {
            audit->own[i].found = true;
            return;
        }
    }
    audit->result->unknown_leaves++;
}

/* The leaf's report, if it is later than what is known. An honest service writes no report into the log that
 * its device did not sign: one that nobody signed was made up. */
static enum hk_error note_report(struct audit *audit, const struct hk_leaf *leaf)
{
    const struct hk_profile *profile = audit->view->profile;
    for (size_t i = 0; i < profile->device_count; i++) {
        struct hk_log_reported *known = &audit->result->devices[i];
        struct hk_log_head head;
        if (memcmp(profile->devices[i].serial, leaf->who, HK_ID_BYTES) != 0) {
            continue;
        }
        hk_head_decode(&head, leaf->report);
        if (hk_head_verify(HK_HEAD_REPORT, audit->view->account, &head, leaf->report + HK_HEAD_BYTES,
                           profile->devices[i].report_key) != HK_OK) {
            return HK_LOG_FORKED;
        }
        if (head.generation > known->head.generation ||
            (head.generation == known->head.generation && head.size >= known->head.size)) {
            known->head = head;
        }
    }
    return HK_OK;
}

/* Who is suspended: what was refused changed nothing. */
static void note_suspension(struct audit *audit, const struct hk_leaf *leaf)
{
    bool suspends = leaf->op == HK_OP_SUSPEND;
    for (size_t i = 0; (suspends || leaf->op == HK_OP_RESUME) && i < audit->result->device_count; i++) {
        if (memcmp(audit->result->devices[i].serial, leaf->subject, HK_ID_BYTES) == 0) {
            audit->result->devices[i].suspended = suspends;
        }
    }
}

/* Whether this leaf shows that a device has a half of some key: it was enrolled with some, used or set up
 * one, or confirmed what it was handed. */
static bool shows_half(const struct hk_leaf *leaf, const uint8_t serial[HK_ID_BYTES])
{
    bool by_it = leaf->has_who && memcmp(leaf->who, serial, HK_ID_BYTES) == 0;
    bool about_it = leaf->has_subject && memcmp(leaf->subject, serial, HK_ID_BYTES) == 0;
    return (by_it && (leaf->op == HK_OP_HAND_CONFIRM || leaf->has_key)) ||
           (about_it && leaf->op == HK_OP_ENROL_CONFIRM && leaf->count > 0);
}

/* Keys on their way to a device: to this one, or asked for by another, or arrived there. */
static void note_hand_over(struct audit *audit, const struct hk_leaf *leaf)
{
    bool by_other = leaf->has_who && memcmp(leaf->who, audit->view->serial, HK_ID_BYTES) != 0;
    bool to_this = leaf->has_subject && memcmp(leaf->subject, audit->view->serial, HK_ID_BYTES) == 0;
    audit->result->deposits += leaf->op == HK_OP_HAND_OPEN && by_other;
    audit->result->handed += leaf->op == HK_OP_HAND_SEAL && to_this;
    for (size_t i = 0; i < audit->result->device_count; i++) {
        if (shows_half(leaf, audit->result->devices[i].serial)) {
            audit->result->devices[i].holds_keys = true;
        }
    }
}

static enum hk_error audit_leaf(void *context, uint64_t index, struct hk_bytes encoded,
                                const struct hk_leaf *leaf)
{
    (void)index;
    (void)encoded;
    struct audit *audit = context;
    if (leaf->has_who && memcmp(leaf->who, audit->view->serial, HK_ID_BYTES) == 0) {
        note_own(audit, leaf);
    }
    if (leaf->has_who && leaf->has_report) {
        enum hk_error error = note_report(audit, leaf);
        if (error != HK_OK) {
            return error;
        }
    }
    bool puts = leaf->op == HK_OP_PROFILE_PUT || leaf->op == HK_OP_KEY_DELETE;
    if (puts && leaf->outcome == 0) {
        audit->result->profiles++;
    }
    if (leaf->has_subject && leaf->outcome == 0) {
        note_suspension(audit, leaf);
    }
    if (leaf->outcome == 0) {
        note_hand_over(audit, leaf);
    }
    return HK_OK;
}

/* Puts the rows of earlier audits in the order of the profile, which may have changed. */
static void align(struct hk_log_audit *audit, const struct hk_profile *profile)
{
    struct hk_log_reported old[HK_DEVICES];
    size_t old_count = audit->device_count;
    memcpy(old, audit->devices, sizeof(old));
    memset(audit->devices, 0, sizeof(audit->devices));
    audit->device_count = profile->device_count;
    for (size_t i = 0; i < profile->device_count; i++) {
        memcpy(audit->devices[i].serial, profile->devices[i].serial, HK_ID_BYTES);
        for (size_t j = 0; j < old_count; j++) {
            if (memcmp(old[j].serial, profile->devices[i].serial, HK_ID_BYTES) == 0) {
                audit->devices[i] = old[j];
            }
        }
    }
}

/* That what another device saw lies on the line of `head`. Older generations are closed: they were held
 * against their own heads when they were current. */
static enum hk_error check_report(const struct hk_log_head *reported, const struct hk_log_head *head,
                                  const struct hk_log_source *source)
{
    if (reported->size == 0 || reported->generation < head->generation) {
        return HK_OK;
    }
    return reported->generation > head->generation ? HK_LOG_FORKED : extends(reported, head, source);
}

enum hk_error hk_log_audit(const struct hk_log_view *view, const struct hk_log_head *last,
                           const struct hk_log_head *head, struct hk_log_own *own, size_t own_count,
                           const struct hk_log_source *source, struct hk_log_audit *audit)
{
    if (last->generation != head->generation || last->size > head->size) {
        return HK_LOG_FORKED;
    }
    align(audit, view->profile);
    audit->own_leaves = audit->unknown_leaves = audit->profiles = audit->deposits = audit->handed = 0;
    struct audit run = {view, own, own_count, audit};
    enum hk_error error = hk_log_read(head, last->size, head->size - last->size, source, audit_leaf, &run);
    for (size_t i = 0; i < own_count && error == HK_OK; i++) {
        error = own[i].found || !own[i].answered ? HK_OK : HK_LOG_FORKED;
    }
    for (size_t i = 0; i < audit->device_count && error == HK_OK; i++) {
        error = check_report(&audit->devices[i].head, head, source);
    }
    return error;
}

void hk_log_report(uint8_t out[HK_REPORT_BYTES], const uint8_t account[HK_ACCOUNT_BYTES],
                   const struct hk_log_head *head, const uint8_t secret_key[64])
{
    uint8_t statement[HK_HASH_BYTES];
    hk_head_encode(out, head);
    hk_head_statement(statement, HK_HEAD_REPORT, account, head);
    crypto_sign_detached(out + HK_HEAD_BYTES, NULL, statement, sizeof(statement), secret_key);
}
