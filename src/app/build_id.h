/**
 * Which build of the program this is: the linker's hash over all of it (the ELF note of
 * --build-id). Whatever changes an answer is another build. Thread-safe.
 */
#ifndef OPENRISK_APP_BUILD_ID_H
#define OPENRISK_APP_BUILD_ID_H

enum { BUILD_ID_SIZE = 33 };

/**
 * At most 32 hex characters of it. A program without the note is like no other: then they are
 * random. Returns `hex`, which holds BUILD_ID_SIZE bytes.
 */
const char *build_id(char *hex);

#endif
