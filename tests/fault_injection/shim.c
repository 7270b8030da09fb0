/* Stands before the C library's writes and syncs: counts those on files of one folder, writes them down, and
   has one of them, or all from it on, fail. Loaded with LD_PRELOAD; does nothing until `fault_arm`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NONE, FAIL_EIO, FAIL_ENOSPC, SHORT };
enum { WRITE = 1, SYNC, TRUNCATE, SYNCED };

static char folder[4096];
static size_t folder_length;
static long calls, fail_at;
static int kind, forever, log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* One for each call, and one when a sync is over (offset: the number of its call). Then the name, then for a
   write its bytes. */
struct record {
    int32_t type, name_length;
    int64_t offset, size;
};

void fault_arm(const char *where, long at, int what, int always, const char *log)
{
    snprintf(folder, sizeof folder, "%s", where);
    folder_length = strlen(folder);
    calls = 0, fail_at = at, kind = what, forever = always;
    log_fd = *log ? open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
}

long fault_calls(void)
{
    return calls;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static ssize_t plain_write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = next("write");
    return real(fd, data, size);
}

/* Returns what is to become of this call: 0, an errno, or -1 for a short one. Called with the lock held. */
static int verdict(int fd, int type, int64_t offset, const void *data, int64_t size)
{
    char link[64], name[4096];
    if (!folder_length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < (ssize_t)folder_length || memcmp(name, folder, folder_length)) return 0;
    name[length] = 0;
    ++calls;
    int fails = kind != NONE && (calls == fail_at || (forever && calls > fail_at));
    if (log_fd >= 0 && !fails) {
        struct record record = {type, (int32_t)length, offset, size};
        plain_write(log_fd, &record, sizeof record);
        plain_write(log_fd, name, length);
        if (type == WRITE) plain_write(log_fd, data, size);
    }
    if (!fails) return 0;
    if (kind == SHORT) return type == WRITE && size > 1 ? -1 : 0;
    return kind == FAIL_ENOSPC ? ENOSPC : EIO;
}

/* A short direct write must still be one that the disk takes. */
static size_t half(size_t size)
{
    return size > 8192 ? size / 2 / 4096 * 4096 : size / 2;
}

static int synced(int fd, int64_t call, int done)
{
    if (call && !done && log_fd >= 0) {
        char link[64], name[4096];
        pthread_mutex_lock(&lock);
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, name, sizeof name);
        struct record record = {SYNCED, (int32_t)length, call, 0};
        plain_write(log_fd, &record, sizeof record);
        plain_write(log_fd, name, length);
        pthread_mutex_unlock(&lock);
    }
    return done;
}

#define PASS(call)                                                                                          \
    do {                                                                                                    \
        pthread_mutex_unlock(&lock);                                                                        \
        return call;                                                                                        \
    } while (0)
#define JUDGE(type, offset, data, size)                                                                     \
    pthread_mutex_lock(&lock);                                                                              \
    long before = calls;                                                                                    \
    int fate = verdict(fd, type, offset, data, size);                                                       \
    long call = calls > before ? calls : 0;                                                                 \
    (void)call;                                                                                             \
    if (fate > 0) {                                                                                         \
        pthread_mutex_unlock(&lock);                                                                        \
        errno = fate;                                                                                       \
        return -1;                                                                                          \
    }

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = next("pwrite64");
    JUDGE(WRITE, offset, data, size)
    ssize_t done = real(fd, data, fate ? half(size) : size, offset);
    PASS(done);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size)
{
    int64_t offset = lseek(fd, 0, SEEK_CUR);
    JUDGE(WRITE, offset, data, size)
    ssize_t done = plain_write(fd, data, fate ? half(size) : size);
    PASS(done);
}

int ftruncate64(int fd, off64_t size)
{
    static int (*real)(int, off64_t);
    if (!real) real = next("ftruncate64");
    JUDGE(TRUNCATE, size, 0, 0)
    int done = real(fd, size);
    PASS(done);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real) real = next("fdatasync");
    JUDGE(SYNC, 0, 0, 0)
    pthread_mutex_unlock(&lock);
    return synced(fd, call, real(fd));
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real) real = next("fsync");
    JUDGE(SYNC, 0, 0, 0)
    pthread_mutex_unlock(&lock);
    return synced(fd, call, real(fd));
}
