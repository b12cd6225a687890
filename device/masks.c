#include "device/masks.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct recent {
    bool used;
    struct hk_point service_point;
    uint8_t input[HK_AGREE_INPUT_BYTES_MAX], answer[HK_AGREE_POINT_BYTES_MAX];
    struct hk_agree_open open;
};

/* In memory from hk_secret_new. */
struct hk_masks {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t thread;
    bool ending;
    uint64_t taken;                       /* how many, ever */
    const struct hk_agreement *agreement; /* of the masks that are ready; NULL: none yet */
    struct hk_point service_point;
    size_t ready;
    struct hk_agree_mask mask[HK_MASKS_READY];
    size_t next_recent;
    struct recent recent[HK_MASKS_RECENT];
};

static bool same_point(const struct hk_point *a, const struct hk_point *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Nobody waits for a mask that is made ahead: whoever is waited for goes first. (On Linux this is the
 * thread's own priority. Not the idle class: a thread that is never run could hold the lock for long.) */
static void step_back(void)
{
    (void)setpriority(PRIO_PROCESS, 0, 10);
}

/* Whoever asks often is not held up by the making of the next: it waits for a pause, unless few are left. */
static void wait_for_pause_locked(struct hk_masks *masks)
{
    uint64_t taken;
    do {
        struct timespec until;
        taken = masks->taken;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += HK_MASKS_PAUSE_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (!masks->ending && masks->ready > HK_MASKS_FEW &&
               pthread_cond_timedwait(&masks->wanted, &masks->lock, &until) == 0) {
        }
    } while (!masks->ending && masks->ready > HK_MASKS_FEW && masks->taken != taken);
}

/* Makes masks, one at a time and outside the lock, up to the last that is missing. */
static void *prepare(void *argument)
{
    struct hk_masks *masks = argument;
    bool filling = false;
    step_back();
    pthread_mutex_lock(&masks->lock);
    while (!masks->ending) {
        if (masks->agreement == NULL || masks->ready == HK_MASKS_READY) {
            filling = false;
            pthread_cond_wait(&masks->wanted, &masks->lock);
            continue;
        }
        if (!filling) {
            filling = true;
            wait_for_pause_locked(masks);
            continue;
        }
        struct hk_point service_point = masks->service_point;
        const struct hk_agreement *agreement = masks->agreement;
        struct hk_agree_mask mask;
        pthread_mutex_unlock(&masks->lock);
        hk_agree_mask_make(agreement, &mask, &service_point);
        pthread_mutex_lock(&masks->lock);
        if (masks->ready < HK_MASKS_READY && same_point(&service_point, &masks->service_point)) {
            masks->mask[masks->ready++] = mask;
        }
        hk_wipe(&mask, sizeof(mask));
    }
    pthread_mutex_unlock(&masks->lock);
    return NULL;
}

enum hk_error hk_masks_new(struct hk_masks **out)
{
    struct hk_masks *masks = hk_secret_new(sizeof(*masks));
    if (masks == NULL) {
        return HK_NO_MEMORY;
    }
    pthread_mutex_init(&masks->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&masks->wanted, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&masks->thread, NULL, prepare, masks) != 0) {
        hk_secret_free(masks);
        return HK_NO_MEMORY;
    }
    *out = masks;
    return HK_OK;
}

void hk_masks_free(struct hk_masks *masks)
{
    if (masks == NULL) {
        return;
    }
    pthread_mutex_lock(&masks->lock);
    masks->ending = true;
    pthread_cond_signal(&masks->wanted);
    pthread_mutex_unlock(&masks->lock);
    pthread_join(masks->thread, NULL);
    pthread_cond_destroy(&masks->wanted);
    pthread_mutex_destroy(&masks->lock);
    hk_secret_free(masks);
}

void hk_masks_take(struct hk_masks *masks, const struct hk_agreement *agreement, struct hk_agree_mask *mask,
                   const struct hk_point *service_point)
{
    bool found = false;
    pthread_mutex_lock(&masks->lock);
    masks->taken++;
    if (masks->agreement != agreement || !same_point(&masks->service_point, service_point)) {
        hk_wipe(masks->mask, sizeof(masks->mask));
        masks->ready = 0;
        masks->service_point = *service_point;
        masks->agreement = agreement;
    } else if (masks->ready > 0) {
        masks->ready--;
        *mask = masks->mask[masks->ready];
        hk_wipe(&masks->mask[masks->ready], sizeof(*mask));
        found = true;
    }
    if (!found) {
        pthread_cond_signal(&masks->wanted);
    }
    pthread_mutex_unlock(&masks->lock);
    if (!found) {
        hk_agree_mask_make(agreement, mask, service_point);
    }
}

bool hk_masks_decoded(struct hk_masks *masks, const struct hk_agreement *agreement, const uint8_t *encoded,
                      struct hk_point *out)
{
    pthread_mutex_lock(&masks->lock);
    bool known = masks->agreement == agreement &&
                 memcmp(masks->service_point.bytes, encoded, agreement->group->point_bytes) == 0;
    if (known) {
        *out = masks->service_point;
    }
    pthread_mutex_unlock(&masks->lock);
    return known;
}

void hk_masks_remember(struct hk_masks *masks, const struct hk_point *service_point, const uint8_t *input,
                       const struct hk_agree_open *open, const uint8_t *answer)
{
    pthread_mutex_lock(&masks->lock);
    struct recent *recent = &masks->recent[masks->next_recent++ % HK_MASKS_RECENT];
    recent->used = true;
    recent->service_point = *service_point;
    memcpy(recent->input, input, open->agreement->input_bytes);
    memcpy(recent->answer, answer, open->agreement->group->point_bytes);
    recent->open = *open;
    if (masks->ready + 1 == HK_MASKS_READY ||
        masks->ready <= HK_MASKS_FEW) { /* the first that is missing, or it is time */
        pthread_cond_signal(&masks->wanted);
    }
    pthread_mutex_unlock(&masks->lock);
}

bool hk_masks_recall(struct hk_masks *masks, const struct hk_agreement *agreement,
                     const struct hk_point *service_point, const uint8_t *input, struct hk_agree_open *open,
                     uint8_t *answer)
{
    bool found = false;
    pthread_mutex_lock(&masks->lock);
    for (size_t i = 0; i < HK_MASKS_RECENT && !found; i++) {
        const struct recent *recent = &masks->recent[i];
        if (recent->used && recent->open.agreement == agreement &&
            memcmp(recent->input, input, agreement->input_bytes) == 0 &&
            same_point(&recent->service_point, service_point)) {
            *open = recent->open;
            memcpy(answer, recent->answer, agreement->group->point_bytes);
            found = true;
        }
    }
    pthread_mutex_unlock(&masks->lock);
    return found;
}
