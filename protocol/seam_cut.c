#include "protocol/seam_cut.h"

#ifdef HK_TEST_SEAMS
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "protocol/seam.h"

#define A_MOMENT_MS 20 /* what was sent has arrived, what was closed is known to be */

enum cut { NONE, LOST, BEFORE, AFTER };
static const char *const names[] = {"none", "lost", "before", "after"};

static atomic_int last_socket;
static _Thread_local enum cut request;

void hk_test_cut_socket(int fd)
{
    atomic_store(&last_socket, fd);
}

/* What becomes of the next frame. */
static enum cut next_frame(void)
{
    static atomic_long frames;
    const char *wanted = getenv("HK_CUT");
    const char *number = wanted != NULL ? strchr(wanted, ':') : NULL;
    if (number == NULL) {
        return NONE;
    }
    HK_SEAM("frame");
    if (atomic_fetch_add(&frames, 1) + 1 != strtol(number + 1, NULL, 10)) {
        return NONE;
    }
    for (enum cut cut = LOST; cut <= AFTER; cut++) {
        if (strncmp(wanted, names[cut], strlen(names[cut])) == 0) {
            HK_SEAM("CUT");
            return cut;
        }
    }
    return NONE;
}

static void cut_connection(void)
{
    const struct timespec moment = {0, A_MOMENT_MS * 1000000L};
    (void)nanosleep(&moment, NULL);
    (void)shutdown(atomic_load(&last_socket), SHUT_RDWR);
    (void)nanosleep(&moment, NULL);
}

enum hk_error hk_test_cut_request(void)
{
    request = next_frame();
    if (request == BEFORE) {
        cut_connection();
    }
    return request == LOST ? HK_TIMEOUT : HK_OK;
}

enum hk_error hk_test_cut_sent(void)
{
    if (request == AFTER) { /* the answer may be here already, and does not count */
        cut_connection();
    }
    return request == AFTER ? HK_UNREACHABLE : HK_OK;
}

enum hk_error hk_test_cut_answer(void)
{
    enum cut answer = next_frame();
    if (answer == BEFORE || answer == AFTER) {
        cut_connection();
    }
    return answer == LOST ? HK_TIMEOUT : answer == BEFORE ? HK_UNREACHABLE : HK_OK;
}
#else
typedef int hk_seam_cut_is_empty; /* a translation unit must declare something */
#endif
