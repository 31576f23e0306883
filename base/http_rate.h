/* A rate in bytes per second that one or several HTTP engines keep to between them: what comes in
 * and what goes out are counted apart. A transfer that is alone may use all of it. Overdrafts are
 * paid back, so the average is exact. Any thread. */
#ifndef WB_BASE_HTTP_RATE_H
#define WB_BASE_HTTP_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wb_http_rate;

enum wb_http_way { WB_HTTP_DOWN, WB_HTTP_UP };

/* 0 bytes per second: no limit; NULL is returned, which all functions take. */
struct wb_http_rate *wb_http_rate_new(uint64_t bytes_per_second);
void wb_http_rate_free(struct wb_http_rate *r);

/* May something be moved now? */
bool wb_http_rate_open(struct wb_http_rate *r, enum wb_http_way way);
void wb_http_rate_take(struct wb_http_rate *r, enum wb_http_way way, size_t n);
/* When it opens again, in ms from now; at least 1 while it is closed, 0 when it is open. */
int wb_http_rate_wait(struct wb_http_rate *r, enum wb_http_way way);

#endif
