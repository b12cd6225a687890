/* version.h - what this is called by people and packages. The wire has a version of its own (frame.h). */
#ifndef HALFKEY_PROTOCOL_VERSION_H
#define HALFKEY_PROTOCOL_VERSION_H

#define HK_VERSION "0.1.0"

#endif
