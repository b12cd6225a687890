/* log_source.h - the service's log as log_check.h asks for it, over this device's client. */
#ifndef HALFKEY_DEVICE_LOG_SOURCE_H
#define HALFKEY_DEVICE_LOG_SOURCE_H

#include "device/client.h"
#include "device/log_check.h"

/* Three questions, each with the buffers of its last answer. */
struct hk_log_asker {
    struct hk_client *client;
    struct hk_exchange *consistency, *inclusion, *leaves;
    struct hk_log_source source; /* to be given to the functions of log_check.h */
};

/* HK_NO_MEMORY. Ended by hk_log_asker_close, also after a failure. */
HK_CHECK enum hk_error hk_log_asker_open(struct hk_log_asker *asker, struct hk_client *client);
void hk_log_asker_close(struct hk_log_asker *asker);

#endif
