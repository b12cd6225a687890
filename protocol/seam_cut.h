/* seam_cut.h - places at which a test cuts the network.
 *
 * A client's frames are numbered from 1 for each process: a request is one when it is sent, an answer when it
 * has come. In a program built with HK_TEST_SEAMS, HK_CUT in the environment is "kind:n", and the n-th frame
 * is
 *
 *   lost    dropped, and the connection stays: who waits for an answer gets its time-out at once
 *   before  not reached: the connection is closed first
 *   after   passed, and then the connection is closed; of a request, the answer does not come
 *
 * For an answer, before means that the service has done and sent what it was asked for. Each frame is a
 * passage "frame" of seam.h, and the one that was hit a passage "CUT". Without HK_CUT, and in a release
 * build, nothing. */
#ifndef HALFKEY_PROTOCOL_SEAM_CUT_H
#define HALFKEY_PROTOCOL_SEAM_CUT_H

#ifdef HK_TEST_SEAMS
#include "crypto/error.h"

/* A connection is up. */
void hk_test_cut_socket(int fd);
#define HK_CUT_SOCKET(fd) hk_test_cut_socket(fd)
/* Before a request is sent; after it; when its answer has come. In one thread. What the call ends with. */
HK_CHECK enum hk_error hk_test_cut_request(void);
#define HK_CUT_REQUEST() hk_test_cut_request()
HK_CHECK enum hk_error hk_test_cut_sent(void);
#define HK_CUT_SENT() hk_test_cut_sent()
HK_CHECK enum hk_error hk_test_cut_answer(void);
#define HK_CUT_ANSWER() hk_test_cut_answer()
#else
#define HK_CUT_SOCKET(fd) ((void)0)
#define HK_CUT_REQUEST() HK_OK
#define HK_CUT_SENT() HK_OK
#define HK_CUT_ANSWER() HK_OK
#endif

#endif
