/* What is counted and logged of an answered request, of job.h. */

#include <stdio.h>

#include "keyservice/console.h"
#include "keyservice/job.h"

/* Enough of an identifier to find its other lines by. The whole request id would be the salt of the leaf's
 * digest (docs/decisions.md), so six of its sixteen bytes are all that a log ever gets. */
#define SHOWN 6

static const char *shown(char out[2 * SHOWN + 1], const uint8_t *id)
{
    for (size_t i = 0; id != NULL && i < SHOWN; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", id[i]);
    }
    return id != NULL ? out : "none";
}

void hk_job_note(const struct hk_job *job, enum hk_error outcome)
{
    struct hk_server *server = job->server;
    enum hk_error said = hk_wire_error(outcome);
    hk_metrics_answered(&server->metrics, job->row != NULL ? (uint64_t)job->row->op : 0, said, job->began);
    bool ours = said == HK_INTERNAL;
    if (!ours && !server->logs_requests) {
        return;
    }
    char request[2 * SHOWN + 1], device[2 * SHOWN + 1];
    hk_console(ours ? HK_LEVEL_ERROR : HK_LEVEL_INFO, "request",
               " request=%s operation=%s device=%s outcome=%s us=%llu",
               shown(request, hk_job_bytes(job, HK_F_REQUEST)), job->row != NULL ? job->row->name : "none",
               job->has_device ? shown(device, job->device.serial) : "none", hk_error_name(said),
               (unsigned long long)((hk_metrics_clock() - job->began) / 1000));
}
