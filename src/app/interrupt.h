/**
 * Ctrl-C and SIGTERM for commands that put things in order before they end.
 *
 *     interrupt_catch();
 *     … while (more && !interrupt_came()) …
 *
 * A second signal ends the program at once.
 */
#ifndef OPENRISK_APP_INTERRUPT_H
#define OPENRISK_APP_INTERRUPT_H

#include <stdbool.h>

void interrupt_catch(void);
bool interrupt_came(void);

#endif
