/* seam.h - places at which a test can make a program die.
 *
 * In a program built with HK_TEST_SEAMS, HK_SEAM("name") kills the process (SIGKILL) when the environment's
 * HK_CRASH is "name", or "name:3" at the third passage. In a release build it is nothing at all. */
#ifndef HALFKEY_PROTOCOL_SEAM_H
#define HALFKEY_PROTOCOL_SEAM_H

#ifdef HK_TEST_SEAMS
void hk_test_seam(const char *name);
#define HK_SEAM(name) hk_test_seam(name)
#else
#define HK_SEAM(name) ((void)0)
#endif

#endif
