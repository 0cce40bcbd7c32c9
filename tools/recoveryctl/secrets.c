
/*
 * What comes from outside of the command line: passwords, words of a variable
 * of the environment, and who we are.
 */

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"
#include "out.h"


/* The first line of what was read, for free(). */

static char *
password_line(const char *buf, size_t n, const char *path, const char *where)
{
    char    *line;
    size_t   len;

    for (len = 0; len < n && buf[len] != '\n'; len++) {
        /* void */
    }

    if (len != 0 && buf[len - 1] == '\r') {
        len--;
    }

    if (len == 0 || len > CTL_PASSWORD_MAX || memchr(buf, '\0', len) != NULL) {
        ctl_error("%s: the first line of \"%s\" must have 1 to 512 bytes",
                  where, path);
        return NULL;
    }

    line = calloc(1, len + 1);

    if (line != NULL) {
        memcpy(line, buf, len);
    }

    return line;
}


char *
ctl_password_read(const char *path, const char *where)
{
    int          fd;
    char         buf[CTL_PASSWORD_MAX + 3], *line;
    ssize_t      n;
    struct stat  st;

    /* not to wait for somebody at the other end of a named pipe */

    fd = open(path, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        ctl_error("%s: \"%s\" cannot be read: %s", where, path,
                  strerror(errno));
        return NULL;
    }

    line = NULL;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        ctl_error("%s: \"%s\" must be a regular file", where, path);
        goto done;
    }

    if (st.st_mode & S_IROTH) {
        ctl_error("%s: warning: \"%s\" can be read by everybody", where,
                  path);
    }

    n = read(fd, buf, sizeof(buf));

    if (n == -1) {
        ctl_error("%s: \"%s\" cannot be read: %s", where, path,
                  strerror(errno));
        goto done;
    }

    line = password_line(buf, (size_t) n, path, where);
    explicit_bzero(buf, sizeof(buf));

done:

    close(fd);

    return line;
}


char *
ctl_word_next(const char **text, int *bad)
{
    char        *word, *to, quote;
    const char  *p;

    p = *text + strspn(*text, " \t\n;");

    if (*p == '\0') {
        return NULL;
    }

    word = to = calloc(1, strlen(p) + 1);

    if (word == NULL) {
        return NULL;
    }

    for (quote = '\0'; *p != '\0'; p++) {

        if (quote != '\0' ? *p == quote : *p == '"' || *p == '\'') {
            quote = quote ? '\0' : *p;
            continue;
        }

        if (quote == '\0' && strchr(" \t\n;", *p) != NULL) {
            break;
        }

        *to++ = *p;
    }

    *to = '\0';
    *text = p;

    if (quote != '\0') {
        *bad = 1;
        free(word);
        return NULL;
    }

    return word;
}


const char *
ctl_login(void)
{
    size_t                i;
    const char           *name;
    const struct passwd  *user;

    static const char *const  variables[] = { "SUDO_USER", "USER", "LOGNAME" };

    for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        name = getenv(variables[i]);

        if (name != NULL && *name != '\0' && strlen(name) <= CTL_TEXT_MAX) {
            return name;
        }
    }

    user = getpwuid(getuid());

    return user != NULL ? user->pw_name : "somebody";
}
