#include "keyservice/runs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct hk_runs {
    pthread_mutex_t lock;
    struct hk_run *first;
};

struct hk_runs *hk_runs_new(void)
{
    struct hk_runs *runs = calloc(1, sizeof(*runs));
    if (runs != NULL) {
        (void)pthread_mutex_init(&runs->lock, NULL);
    }
    return runs;
}

void hk_runs_free(struct hk_runs *runs)
{
    if (runs != NULL) {
        (void)pthread_mutex_destroy(&runs->lock);
    }
    free(runs);
}

enum hk_error hk_run_new(struct hk_run **run, struct hk_runs *runs)
{
    struct hk_run *made = hk_secret_new(sizeof(*made));
    if (made == NULL) {
        return HK_BUSY;
    }
    made->runs = runs;
    atomic_init(&made->references, 1);
    atomic_init(&made->voided, false);
    (void)pthread_mutex_lock(&runs->lock);
    made->next = runs->first;
    made->link = &runs->first;
    if (made->next != NULL) {
        made->next->link = &made->next;
    }
    runs->first = made;
    (void)pthread_mutex_unlock(&runs->lock);
    *run = made;
    return HK_OK;
}

void hk_run_release(struct hk_run *run)
{
    if (run == NULL || atomic_fetch_sub(&run->references, 1) != 1) {
        return;
    }
    struct hk_runs *runs = run->runs;
    (void)pthread_mutex_lock(&runs->lock);
    *run->link = run->next;
    if (run->next != NULL) {
        run->next->link = run->link;
    }
    (void)pthread_mutex_unlock(&runs->lock);
    hk_secret_free(run);
}

void hk_run_keep(struct hk_session *session, struct hk_run *run)
{
    (void)pthread_mutex_lock(&session->user_lock);
    struct hk_run *before = session->user;
    session->user = run;
    (void)pthread_mutex_unlock(&session->user_lock);
    hk_run_release(before);
}

struct hk_run *hk_run_take(struct hk_session *session, const uint8_t key[HK_ID_BYTES])
{
    (void)pthread_mutex_lock(&session->user_lock);
    struct hk_run *run = session->user;
    if (run != NULL && memcmp(run->key.id, key, HK_ID_BYTES) == 0) {
        session->user = NULL;
    } else {
        run = NULL;
    }
    (void)pthread_mutex_unlock(&session->user_lock);
    return run;
}

void hk_runs_void(struct hk_runs *runs, const uint8_t key[HK_ID_BYTES])
{
    (void)pthread_mutex_lock(&runs->lock);
    for (struct hk_run *run = runs->first; run != NULL; run = run->next) {
        if (memcmp(run->key.id, key, HK_ID_BYTES) == 0) {
            atomic_store(&run->voided, true);
        }
    }
    (void)pthread_mutex_unlock(&runs->lock);
}

void hk_run_user_free(void *user)
{
    hk_run_release(user);
}
