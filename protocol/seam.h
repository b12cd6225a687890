/* seam.h - places at which a test can make a program die or misbehave, and at which it is told a half.
 *
 * In a program built with HK_TEST_SEAMS, HK_SEAM("name") kills the process (SIGKILL) when the environment's
 * HK_CRASH is "name", or "name:3" at the third passage; with HK_CRASH_ARMED only passages count while the
 * file that it names exists; HK_PASSED names a file that gets a line for each passage, the last one included;
 * with HK_SYSCALL "name=NUMBER,A,B,C" the thread makes that system call.
 * HK_TELL("name", half, size) appends the half to the file that the environment's HK_TELL names, for the test
 * that then looks for it where it must not be. HK_NOTE(name, what, outcome, id) appends a line, in the order
 * in which they come, to the file that HK_NOTES names. HK_TEST_TIMEOUT(ms) is the environment's HK_TIMEOUT
 * instead of `ms`, if it is set. HK_TRAFFIC('q' or 'a', bytes, size) appends a request or an answer as it is
 * inside a session to the file that HK_TRAFFIC names: u8 kind, u32 size (of this machine), bytes. While the
 * file that HK_STUCK names exists, the random generator gives its first byte for ever, as on a machine that
 * was restored. In a release build they are nothing at all. */
#ifndef HALFKEY_PROTOCOL_SEAM_H
#define HALFKEY_PROTOCOL_SEAM_H

#ifdef HK_TEST_SEAMS
#include <stddef.h>
#include <stdint.h>

void hk_test_seam(const char *name);
#define HK_SEAM(name) hk_test_seam(name)
void hk_test_tell(const char *name, const void *secret, size_t size);
#define HK_TELL(name, secret, size) hk_test_tell(name, secret, size)
void hk_test_note(const char *name, uint64_t what, uint64_t outcome, const uint8_t id[16]);
#define HK_NOTE(name, what, outcome, id) hk_test_note(name, what, outcome, id)
int hk_test_timeout(int ms);
#define HK_TEST_TIMEOUT(ms) hk_test_timeout(ms)
void hk_test_traffic(char kind, const void *bytes, size_t size);
#define HK_TRAFFIC(kind, bytes, size) hk_test_traffic(kind, bytes, size)
#else
#define HK_TEST_TIMEOUT(ms) (ms)
#define HK_SEAM(name) ((void)0)
#define HK_NOTE(name, what, outcome, id) ((void)0)
#define HK_TELL(name, secret, size) ((void)0)
#define HK_TRAFFIC(kind, bytes, size) ((void)0)
#endif

#endif
