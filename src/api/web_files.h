/**
 * The files of the web interface: in the program, as the bundler has made them. The table is made
 * by ui/embed.py and ends with a row without a path; in a program built without the interface that
 * is the only one.
 */
#ifndef OPENRISK_API_WEB_FILES_H
#define OPENRISK_API_WEB_FILES_H

#include <stdbool.h>
#include <stddef.h>

enum { WEB_IDENTITY, WEB_GZIP, WEB_FORMS };

struct web_file {
    const char *path; /* "/index.html"; "/ui/main-HASH.js" */
    const char *content_type;
    bool is_immutable; /* its path changes with its content */
    struct web_form {
        const char *tag; /* its ETag, strong, with the quotes; NULL: there is no such form */
        size_t length;
        const char *bytes;
    } forms[WEB_FORMS]; /* as it is; and compressed, if that is smaller */
};
extern const struct web_file web_files[];

/**
 * What the interface shows a page for: "/risks/:id", in which `:id` stands for any segment. Each of
 * them is answered with /index.html. NULL-terminated.
 */
extern const char *const web_pages[];

#endif
