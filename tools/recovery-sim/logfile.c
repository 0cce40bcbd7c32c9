
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "logfile.h"


#define FILE_BUFFER  (4 * (SIM_LOG_LINE_MAX + 1))


/* More bytes into the buffer; 0, or -1 with a message. */

static int
file_fill(sim_logfile_t *file)
{
    ssize_t  n;

    if (file->at != 0) {
        memmove(file->buffer, file->buffer + file->at,
                file->len - file->at);
        file->len -= file->at;
        file->at = 0;
    }

    do {
        n = read(file->fd, file->buffer + file->len,
                 FILE_BUFFER - file->len);
    } while (n < 0 && errno == EINTR);

    if (n < 0) {
        fprintf(stderr, "recovery-sim: \"%s\" could not be read (%s)\n",
                file->name, strerror(errno));
        file->ended = 1;
        file->failed = 1;
        return -1;
    }

    file->ended = (n == 0);
    file->len += (size_t) n;

    return 0;
}


/* 1: it is compressed, with a message. */

static int
file_packed(const sim_logfile_t *file)
{
    unsigned  i;

    static const struct {
        const char  *magic;
        const char  *cat;
    } packed[] = {
        { "\x1f\x8b", "zcat" },
        { "\xfd" "7zXZ", "xzcat" },
        { "\x28\xb5\x2f\xfd", "zstdcat" },
        { "BZh", "bzcat" }
    };

    for (i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {

        if (file->len >= strlen(packed[i].magic)
            && memcmp(file->buffer, packed[i].magic,
                      strlen(packed[i].magic)) == 0)
        {
            fprintf(stderr, "recovery-sim: \"%s\" is compressed; try: "
                    "%s %s | recovery-sim POLICY --replay -\n", file->name,
                    packed[i].cat,
                    file->fd == STDIN_FILENO ? "FILE" : file->name);
            return 1;
        }
    }

    return 0;
}


int
sim_logfile_open(sim_logfile_t *file, const char *path)
{
    memset(file, 0, sizeof(*file));

    file->fd = (strcmp(path, "-") == 0) ? STDIN_FILENO
                                        : open(path, O_RDONLY);

    if (file->fd < 0) {
        fprintf(stderr, "recovery-sim: open() \"%s\" failed (%s)\n", path,
                strerror(errno));
        return -1;
    }

    file->name = (file->fd == STDIN_FILENO) ? "stdin" : path;
    file->buffer = sim_alloc(FILE_BUFFER);

    if (file_fill(file) != 0 || file_packed(file)) {
        sim_logfile_close(file);
        return -1;
    }

    return 0;
}


void
sim_logfile_close(sim_logfile_t *file)
{
    free(file->buffer);

    if (file->fd != STDIN_FILENO) {
        (void) close(file->fd);
    }
}


sim_log_read_t
sim_logfile_next(sim_logfile_t *file, rcv_str_t *line)
{
    char    *end, *text;
    size_t   len;

    for ( ;; ) {
        text = file->buffer + file->at;
        len = file->len - file->at;
        end = memchr(text, '\n', len);

        if (end == NULL && len <= SIM_LOG_LINE_MAX && !file->ended) {

            if (file_fill(file) != 0) {
                return SIM_LOG_END;
            }

            continue;
        }

        if (end == NULL && len == 0) {
            return SIM_LOG_END;
        }

        line->data = text;
        line->len = (end != NULL) ? (size_t) (end - text) : len;
        file->at += line->len + (end != NULL);

        if (file->skipping) {
            file->skipping = (end == NULL);
            continue;
        }

        file->line++;

        if (line->len > SIM_LOG_LINE_MAX) {
            file->skipping = (end == NULL);
            return SIM_LOG_TOO_LONG;
        }

        if (line->len != 0 && text[line->len - 1] == '\r') {
            line->len--;
        }

        return SIM_LOG_LINE;
    }
}
