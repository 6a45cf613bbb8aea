#include "app/secret.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"

enum { SECRET_LINE_MAX = 2048 };

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
    interrupted = number;
}

/** One line, byte by byte: what follows it is not ours. False at the end, or when a signal came. */
static bool read_line(char *line, size_t size)
{
    size_t length = 0;
    char c;
    while (!interrupted && read(STDIN_FILENO, &c, 1) == 1) {
        if (c == '\n') {
            line[length - (length > 0 && line[length - 1] == '\r')] = '\0';
            return true;
        }
        if (length + 1 < size)
            line[length++] = c;
    }
    line[length] = '\0';
    return length > 0 && !interrupted;
}

/** Without echo; a signal that comes meanwhile takes effect when the terminal is as it was. */
static bool read_hidden(const char *prompt, char *line, size_t size)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction note = {.sa_handler = note_signal}, before[COUNT_OF(signals)];
    struct termios usual, hidden;
    if (tcgetattr(STDIN_FILENO, &usual) != 0)
        return false;
    hidden = usual;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ECHONL;
    interrupted = 0;
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        sigaction(signals[i], &note, &before[i]);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fprintf(stderr, "%s: ", prompt);
    bool ok = read_line(line, size);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        sigaction(signals[i], &before[i], NULL);
    if (interrupted)
        raise(interrupted);
    return ok;
}

enum status secret_ask(const char *prompt, struct arena *arena, char **ret_secret, struct err *err)
{
    char first[SECRET_LINE_MAX], second[SECRET_LINE_MAX];
    if (!isatty(STDIN_FILENO))
        return err_set(err, INVALID, NULL,
                       "there is no terminal to ask for the password: give --password-stdin or "
                       "--generate");
    if (!read_hidden(prompt, first, sizeof first))
        return err_set(err, INVALID, NULL, "no password was given");
    if (!read_hidden("The same again", second, sizeof second) || strcmp(first, second) != 0) {
        explicit_bzero(first, sizeof first);
        explicit_bzero(second, sizeof second);
        return err_set(err, INVALID, NULL, "the two passwords differ; nothing was changed");
    }
    *ret_secret = arena_strdup(arena, first);
    explicit_bzero(first, sizeof first);
    explicit_bzero(second, sizeof second);
    return OK;
}

enum status secret_read(struct arena *arena, char **ret_secret, struct err *err)
{
    char line[SECRET_LINE_MAX];
    interrupted = 0;
    if (!read_line(line, sizeof line) || !*line)
        return err_set(err, INVALID, NULL, "standard input holds no password");
    *ret_secret = arena_strdup(arena, line);
    explicit_bzero(line, sizeof line);
    return OK;
}
