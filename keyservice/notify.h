/* notify.h - what the service tells the service manager that started it (the protocol of sd_notify(3)).
 *
 * The manager's socket is opened before the process confines itself, since afterwards it can open none. */
#ifndef HALFKEY_KEYSERVICE_NOTIFY_H
#define HALFKEY_KEYSERVICE_NOTIFY_H

/* Connects to the socket that NOTIFY_SOCKET names; nothing if there is none. */
void hk_notify_open(void);

/* Sends a state such as "READY=1"; nothing without a manager. */
void hk_notify(const char *state);

#endif
