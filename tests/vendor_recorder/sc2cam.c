/* The functions of sc2_cam that the vendor's pco_recorder (3.8.0) calls, for a camera that exposes 64x32 pixels, or more.
 *
 * Frame n has n in every pixel, and n in its metadata; of a pair the second image has n + 1000. A thread fills
 * the oldest buffer that was added at each period; a frame without a buffer is lost, as in a driver. Settings come
 * through fake_set.
 */
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

typedef uint16_t word;
typedef uint32_t dword;
typedef void *handle;

enum { METADATA = 0x3c, QUEUE = 4096 };

static struct { void *address; dword *status; } added[QUEUE], finished[QUEUE];
static dword result[QUEUE];
static int added_count, finished_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static pthread_t exposing;
static int recording, stopping;

static unsigned char description[436], camera_type[1364];
static long period_us = 10000, exposure_base = 0, failing_frame = 0, failing_code = 0;
static dword exposure = 5000000;
static long width = 64, height = 32;
static unsigned frame, lost;
/* A memory with images that are read by their number; recording ends by itself with frame stop_at. */
static long stored = 0, stop_at = 0, pair = 0;
/* Exposes nothing while the recorder has given no buffer, as it does on a busy computer. */
static long patient = 0;
static int ended;

void fake_set(const char *name, long value) {
    if (!strcmp(name, "period_us")) period_us = value;
    else if (!strcmp(name, "frame")) frame = value;
    else if (!strcmp(name, "failing_frame")) failing_frame = value;
    else if (!strcmp(name, "failing_code")) failing_code = value;
    else if (!strcmp(name, "exposure")) exposure = value;
    else if (!strcmp(name, "exposure_base")) exposure_base = value;
    else if (!strcmp(name, "stored")) stored = value;
    else if (!strcmp(name, "pair")) pair = value;
    else if (!strcmp(name, "stop_at")) stop_at = value;
    else if (!strcmp(name, "patient")) patient = value;
    else if (!strcmp(name, "width")) width = value;
    else if (!strcmp(name, "height")) height = value;
}

long fake_get(const char *name) {
    return !strcmp(name, "frame") ? frame : !strcmp(name, "lost") ? lost : -1;
}

void fake_describe(const void *given, int size) { memcpy(description, given, size); }
void fake_type(const void *given, int size) { memcpy(camera_type, given, size); }

static unsigned char bcd(unsigned value) { return value / 10 << 4 | value % 10; }

static void fill(void *address, unsigned n) {
    word *pixels = address;
    int count = width * height * (1 + pair);
    for (int i = 0; i < count; i++) pixels[i] = i < width * height ? n : n + 1000;
    unsigned char metadata[METADATA] = {METADATA, 0, 1, 0,
        bcd(n % 100), bcd(n / 100 % 100), bcd(n / 10000 % 100), bcd(n / 1000000 % 100),
        bcd(n % 100), bcd(n / 100 % 100), 0, 5, 4, 3, 2, 1, 0x26, 0, exposure_base};
    memcpy(metadata + 20, &exposure, 4);
    for (int i = 0; i < METADATA; i++) pixels[count + i] = metadata[i];
}

static long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void *expose(void *unused) {
    (void)unused;
    for (long due = now_us() + period_us;; due += period_us) {
        while (now_us() < due && !stopping) usleep(200);
        pthread_mutex_lock(&mutex);
        while (patient && !added_count && !stopping) {
            pthread_mutex_unlock(&mutex);
            usleep(200);
            pthread_mutex_lock(&mutex);
        }
        if (stopping) {
            pthread_mutex_unlock(&mutex);
            return NULL;
        }
        frame++;
        if (added_count) {
            int failed = failing_frame && frame == failing_frame;
            fill(added[0].address, frame);
            if (added[0].status) *added[0].status = failed ? failing_code : 0;
            finished[finished_count] = added[0];
            result[finished_count++] = failed ? failing_code : 0;
            memmove(added, added + 1, sizeof added[0] * --added_count);
            pthread_cond_broadcast(&arrived);
        } else lost++;
        if (stop_at && frame >= stop_at) {
            stored = frame, recording = 0, ended = 1;
            pthread_mutex_unlock(&mutex);
            return NULL;
        }
        pthread_mutex_unlock(&mutex);
    }
}

int PCO_AddBufferExtern(handle h, handle event, word segment, dword first, dword last, dword sync, void *address,
                        dword size, dword *status) {
    pthread_mutex_lock(&mutex);
    if (first) {
        fill(address, first);
        if (status) *status = 0;
        finished[finished_count].address = address;
        result[finished_count++] = 0;
        pthread_cond_broadcast(&arrived);
        pthread_mutex_unlock(&mutex);
        return 0;
    }
    if (status) *status = 0x80332010u;
    added[added_count].address = address;
    added[added_count++].status = status;
    pthread_mutex_unlock(&mutex);
    return 0;
}

int PCO_WaitforNextBufferAdr(handle h, void **address, int timeout_ms) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) end.tv_sec++, end.tv_nsec -= 1000000000L;
    pthread_mutex_lock(&mutex);
    for (int waited = 0; !finished_count && !waited;) waited = pthread_cond_timedwait(&arrived, &mutex, &end);
    dword code = 0xA00A3005u;
    if (finished_count) {
        code = result[0];
        *address = finished[0].address;
        memmove(finished, finished + 1, sizeof finished[0] * --finished_count);
        memmove(result, result + 1, sizeof result[0] * finished_count);
    }
    pthread_mutex_unlock(&mutex);
    return (int)code;
}

int PCO_CancelImages(handle h) {
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < added_count; i++) if (added[i].status) *added[i].status = 0x80332011u;
    added_count = finished_count = 0;
    pthread_mutex_unlock(&mutex);
    return 0;
}

int PCO_SetRecordingState(handle h, word on) {
    if (on && !recording) {
        stopping = ended = 0, frame = 0, lost = 0, recording = 1;
        pthread_create(&exposing, NULL, expose, NULL);
    } else if (!on && (recording || ended)) {
        stopping = 1;
        pthread_join(exposing, NULL);
        recording = ended = 0;
    }
    return 0;
}

int PCO_GetMetaDataExtern(handle h, word *buffer, unsigned char *metadata, dword a, dword b) {
    word size = *(word *)metadata;
    for (int i = 0; i < METADATA; i++) metadata[i] = buffer[i];
    *(word *)metadata = size;
    return 0;
}

static int copy(void *to, const void *from, word most) {
    word size = *(word *)to;
    memcpy(to, from, size < most ? size : most);
    *(word *)to = size;
    return 0;
}

int PCO_GetRecordingState(handle h, word *on) { return *on = recording, 0; }
int PCO_GetCameraDescription(handle h, void *to) { return copy(to, description, sizeof description); }
int PCO_GetCameraDescriptionEx(handle h, void *to, word kind) {
    return kind ? 0 : copy(to, description, sizeof description);
}
int PCO_GetCameraType(handle h, void *to) { return copy(to, camera_type, sizeof camera_type); }
int PCO_GetSizes(handle h, word *x, word *y, word *most_x, word *most_y) {
    return *x = *most_x = width, *y = *most_y = height * (1 + pair), 0;
}
int PCO_GetROI(handle h, word *x0, word *y0, word *x1, word *y1) {
    return *x0 = *y0 = 1, *x1 = width, *y1 = height, 0;
}
int PCO_GetSegmentImageSettings(handle h, word segment, word *x, word *y, word *bin_x, word *bin_y, word *x0,
                                word *y0, word *x1, word *y1) {
    return *x = width, *y = height, *bin_x = *bin_y = 1, PCO_GetROI(h, x0, y0, x1, y1);
}
int PCO_GetBinning(handle h, word *x, word *y) { return *x = *y = 1, 0; }
int PCO_GetBitAlignment(handle h, word *lsb) { return *lsb = 1, 0; }
int PCO_SetBitAlignment(handle h, word lsb) { return 0; }
int PCO_GetCOCRuntime(handle h, dword *s, dword *ns) { return *s = 0, *ns = period_us * 1000, 0; }
int PCO_GetDelayExposureTime(handle h, dword *delay, dword *exposed, word *delay_base, word *base) {
    return *delay = 0, *exposed = exposure, *delay_base = *base = 0, 0;
}
int PCO_SetDelayExposureTime(handle h, dword delay, dword exposed, word delay_base, word base) { return 0; }
int PCO_GetMetaDataMode(handle h, word *on, word *size, word *version) {
    if (size) *size = METADATA;
    if (version) *version = 1;
    return *on = 1, 0;
}
int PCO_GetNumberOfImagesInSegment(handle h, word segment, dword *images, dword *most) {
    return *images = recording ? frame : stored, *most = 1000, 0;
}
int PCO_GetCameraRamSegmentSize(handle h, dword *sizes) {
    return sizes[0] = sizes[1] = 1000, sizes[2] = sizes[3] = 0, 0;
}
int PCO_GetCameraHealthStatus(handle h, dword *warnings, dword *errors, dword *status) {
    return *warnings = *errors = *status = 0, 0;
}
int PCO_GetCameraSetup(handle h, word type, dword *setup, word *size) { return setup[0] = 1, 0; }
int PCO_GetActiveRamSegment(handle h, word *segment) { return *segment = 1, 0; }
int PCO_SetActiveRamSegment(handle h, word segment) { return 0; }
int PCO_GetColorCorrectionMatrix(handle h, double *matrix) { return memset(matrix, 0, 72), 0; }
int PCO_GetConversionFactor(handle h, word *factor) { return *factor = 46, 0; }
int PCO_GetDoubleImageMode(handle h, word *on) { return *on = pair, 0; }
int PCO_GetErrorTextSDK(dword code, char *text, dword size) { return snprintf(text, size, "%08x", code), 0; }
int PCO_GetFrameRate(handle h, word *status, dword *rate, dword *exposed) {
    return *status = 0, *rate = 100000, *exposed = exposure, 0;
}
int PCO_GetImageTransferMode(handle h, void *to, int size) { return memset(to, 0, size), 0; }
int PCO_GetPixelRate(handle h, dword *rate) { return *rate = 286000000, 0; }
int PCO_GetSensorDarkOffset(handle h, word *offset) { return *offset = 100, 0; }
int PCO_GetTemperature(handle h, short *sensor, short *camera, short *power) {
    return *sensor = 70, *camera = 30, *power = 40, 0;
}
int PCO_GetTimestampMode(handle h, word *mode) { return *mode = 0, 0; }
int PCO_GetTransferParameter(handle h, void *to, int size) { return memset(to, 0, size), 0; }
int PCO_GetTriggerMode(handle h, word *mode) { return *mode = 0, 0; }
int PCO_ArmCamera(handle h) { return 0; }
int PCO_SetTransferParameter(handle h, void *from, int size) { return 0; }
int PCO_SetTransferParametersAuto(handle h, void *from, int size) { return 0; }
int PCO_SetActiveLookupTable(handle h, word *table, word *parameter) { return 0; }
int PCO_SetImageParameters(handle h, word x, word y, dword flags, void *more, int size) { return 0; }
int PCO_SetTimeouts(handle h, void *timeouts, unsigned size) { return 0; }
