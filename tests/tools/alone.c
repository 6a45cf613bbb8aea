/**
 * OpenRisk as it is built without node and npm, for the tests: linked instead of the table that
 * ui/embed.py has made, so that there is no web interface.
 */
#include "api/web_files.h"

const struct web_file web_files[] = {{0}};
const char *const web_pages[] = {NULL};
