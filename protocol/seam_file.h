/* seam_file.h - every write of a process to its files, as a test breaks them.
 *
 * In a program built with HK_TEST_SEAMS the names below are the program's own, in place of the C library's,
 * for it and for SQLite: so no write can be forgotten. Without HK_FAULT in the environment they do what the
 * library's do. HK_FAULT names a file with one line, "KIND FIRST COUNT", or nothing; it is read again at each
 * write, and a line that is new starts the count anew. From write FIRST on, COUNT of them go wrong:
 *
 *   kill             the process dies before the write            torn    it dies after a half of it
 *   short            a half is written, and said so
 *   enospc eio erofs the write fails with that error               fsync   an fsync (only those count) fails
 * with EIO
 *   count            nothing goes wrong; HK_FAULT.count gets a byte for each write
 *
 * A write is one of write, pwrite, ftruncate, rename, fsync and fdatasync on a regular file other than 0, 1
 * and 2. The file HK_FAULT.hit is made when something went wrong. A release build has nothing of this. */
#ifndef HALFKEY_PROTOCOL_SEAM_FILE_H
#define HALFKEY_PROTOCOL_SEAM_FILE_H

#endif
