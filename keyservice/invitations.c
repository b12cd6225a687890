#include "keyservice/invitations.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DOORS 1024

struct invitation {
    struct invitation *next;
    uint8_t account[HK_ACCOUNT_BYTES], admin[HK_ID_BYTES], gate_hash[32];
    uint64_t expires;
    bool dead; /* kept until it expires, so that its gate is not used again */
    bool joined, bound;
    uint8_t session[16], serial[HK_ID_BYTES];
    struct {
        uint8_t *data;
        size_t size;
    } step[HK_INVITATION_STEPS];
};

struct hk_invitations {
    pthread_mutex_t lock;
    struct invitation *first;
    size_t count;
    struct { /* wrong gates, by account: named, not known */
        uint8_t account[HK_ACCOUNT_BYTES];
        unsigned guesses;
        uint64_t until;
    } door[DOORS];
};

struct hk_invitations *hk_invitations_new(void)
{
    struct hk_invitations *invitations = calloc(1, sizeof(*invitations));
    if (invitations != NULL) {
        (void)pthread_mutex_init(&invitations->lock, NULL);
    }
    return invitations;
}

static void empty(struct invitation *invitation)
{
    for (size_t i = 0; i < HK_INVITATION_STEPS; i++) {
        free(invitation->step[i].data);
        invitation->step[i].data = NULL;
    }
}

void hk_invitations_free(struct hk_invitations *invitations)
{
    if (invitations == NULL) {
        return;
    }
    hk_invitations_sweep(invitations, UINT64_MAX);
    (void)pthread_mutex_destroy(&invitations->lock);
    free(invitations);
}

static struct invitation *find(struct hk_invitations *invitations, const uint8_t *account,
                               const uint8_t *gate_hash)
{
    struct invitation *at = invitations->first;
    while (at != NULL && (memcmp(at->account, account, HK_ACCOUNT_BYTES) != 0 ||
                          memcmp(at->gate_hash, gate_hash, 32) != 0)) {
        at = at->next;
    }
    return at;
}

enum hk_error hk_invitation_open(struct hk_invitations *invitations, const uint8_t *account,
                                 const uint8_t *admin, const uint8_t gate_hash[32], uint64_t expires,
                                 uint64_t now)
{
    if (expires <= now) {
        return HK_BAD_ENCODING;
    }
    (void)pthread_mutex_lock(&invitations->lock);
    size_t of_account = 0;
    for (struct invitation *at = invitations->first; at != NULL; at = at->next) {
        of_account += !at->dead && memcmp(at->account, account, HK_ACCOUNT_BYTES) == 0;
    }
    enum hk_error error = HK_OK;
    struct invitation *made = find(invitations, account, gate_hash);
    if (made != NULL) {
        error =
            made->dead || made->joined || memcmp(made->admin, admin, HK_ID_BYTES) != 0 ? HK_CONFLICT : HK_OK;
    } else if (of_account >= HK_INVITATIONS_OF_ACCOUNT || invitations->count >= HK_INVITATIONS_MAX) {
        error = HK_OVER_QUOTA;
    } else if ((made = calloc(1, sizeof(*made))) == NULL) {
        error = HK_BUSY;
    } else {
        memcpy(made->account, account, HK_ACCOUNT_BYTES);
        memcpy(made->admin, admin, HK_ID_BYTES);
        memcpy(made->gate_hash, gate_hash, 32);
        made->expires = expires < now + HK_INVITATION_SECONDS ? expires : now + HK_INVITATION_SECONDS;
        made->next = invitations->first;
        invitations->first = made;
        invitations->count++;
    }
    (void)pthread_mutex_unlock(&invitations->lock);
    return error;
}

/* Counts a wrong gate, or finds the door closed. The account may not exist: the answer is the same. */
static enum hk_error knock(struct hk_invitations *invitations, const struct hk_invitation_step *step,
                           bool wrong)
{
    size_t n = (step->account[0] | (size_t)step->account[1] << 8) % DOORS;
    bool same = memcmp(invitations->door[n].account, step->account, HK_ACCOUNT_BYTES) == 0 &&
                invitations->door[n].until > step->now;
    if (same && invitations->door[n].guesses >= HK_INVITATION_GUESSES) {
        return HK_OVER_QUOTA;
    }
    if (wrong && !same) {
        memcpy(invitations->door[n].account, step->account, HK_ACCOUNT_BYTES);
        invitations->door[n].guesses = 0;
        invitations->door[n].until = step->now + HK_INVITATION_SECONDS;
    }
    invitations->door[n].guesses += wrong;
    return wrong ? HK_UNKNOWN_RUN : HK_OK;
}

/* Whether this asker may take the step in this invitation; binds the first stranger who comes. */
static enum hk_error enter(struct invitation *invitation, const struct hk_invitation_step *step)
{
    if (step->admin != NULL) {
        return memcmp(invitation->admin, step->admin, HK_ID_BYTES) == 0 ? HK_OK : HK_UNKNOWN_RUN;
    }
    if (!invitation->joined) {
        invitation->joined = true;
        memcpy(invitation->session, step->session, sizeof(invitation->session));
    }
    return memcmp(invitation->session, step->session, sizeof(invitation->session)) == 0 ? HK_OK : HK_CONFLICT;
}

static enum hk_error write_step(struct invitation *invitation, const struct hk_invitation_step *step)
{
    uint8_t *data = invitation->step[step->step].data;
    if (data != NULL) {
        bool same = invitation->step[step->step].size == step->written.size &&
                    memcmp(data, step->written.data, step->written.size) == 0;
        if (!same) {
            invitation->dead = true;
            empty(invitation);
        }
        return same ? HK_OK : HK_CONFLICT;
    }
    data = malloc(step->written.size);
    if (data == NULL) {
        return HK_BUSY;
    }
    memcpy(data, step->written.data, step->written.size);
    invitation->step[step->step].data = data;
    invitation->step[step->step].size = step->written.size;
    return HK_OK;
}

enum hk_error hk_invitation_relay(struct hk_invitations *invitations, const struct hk_invitation_step *step,
                                  uint8_t *out, size_t *size)
{
    bool writes = step->written.data != NULL, is_admin = step->admin != NULL;
    if (step->step >= HK_INVITATION_STEPS || writes != ((step->step % 2 == 1) == is_admin)) {
        return HK_BAD_ENCODING;
    }
    *size = 0;
    (void)pthread_mutex_lock(&invitations->lock);
    struct invitation *found = find(invitations, step->account, step->gate_hash);
    bool there = found != NULL && !found->dead && found->expires > step->now;
    enum hk_error error = is_admin ? (there ? HK_OK : HK_UNKNOWN_RUN) : knock(invitations, step, !there);
    if (error == HK_OK) {
        error = enter(found, step);
    }
    if (error == HK_OK && writes) {
        error = write_step(found, step);
    } else if (error == HK_OK && found->step[step->step].data != NULL) {
        *size = found->step[step->step].size;
        memcpy(out, found->step[step->step].data, *size);
    }
    (void)pthread_mutex_unlock(&invitations->lock);
    return error;
}

enum hk_error hk_invitation_admits(struct hk_invitations *invitations, const uint8_t *account,
                                   const uint8_t *admin, const uint8_t *gate_hash, const uint8_t *serial,
                                   uint64_t now)
{
    enum hk_error error = HK_NOT_ALLOWED;
    (void)pthread_mutex_lock(&invitations->lock);
    for (struct invitation *at = invitations->first; at != NULL && error != HK_OK; at = at->next) {
        bool ours = !at->dead && at->joined && at->expires > now &&
                    memcmp(at->account, account, HK_ACCOUNT_BYTES) == 0 &&
                    memcmp(at->admin, admin, HK_ID_BYTES) == 0;
        bool gate = gate_hash == NULL || memcmp(at->gate_hash, gate_hash, 32) == 0;
        if (ours && gate && (!at->bound || memcmp(at->serial, serial, HK_ID_BYTES) == 0)) {
            at->bound = true;
            memcpy(at->serial, serial, HK_ID_BYTES);
            error = HK_OK;
        }
    }
    (void)pthread_mutex_unlock(&invitations->lock);
    return error;
}

void hk_invitation_end(struct hk_invitations *invitations, const uint8_t *account,
                       const uint8_t gate_hash[32])
{
    (void)pthread_mutex_lock(&invitations->lock);
    struct invitation *found = find(invitations, account, gate_hash);
    if (found != NULL) {
        found->dead = true;
        empty(found);
    }
    (void)pthread_mutex_unlock(&invitations->lock);
}

void hk_invitations_end_of(struct hk_invitations *invitations, const uint8_t *admin)
{
    (void)pthread_mutex_lock(&invitations->lock);
    for (struct invitation *at = invitations->first; at != NULL; at = at->next) {
        if (memcmp(at->admin, admin, HK_ID_BYTES) == 0) {
            at->dead = true;
            empty(at);
        }
    }
    (void)pthread_mutex_unlock(&invitations->lock);
}

void hk_invitations_sweep(struct hk_invitations *invitations, uint64_t now)
{
    (void)pthread_mutex_lock(&invitations->lock);
    for (struct invitation **at = &invitations->first; *at != NULL;) {
        struct invitation *gone = *at;
        if (gone->expires <= now) {
            *at = gone->next;
            empty(gone);
            free(gone);
            invitations->count--;
        } else {
            at = &gone->next;
        }
    }
    (void)pthread_mutex_unlock(&invitations->lock);
}
