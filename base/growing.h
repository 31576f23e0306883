/* A file that one side writes and others read meanwhile: how far it has come, from its first byte
 * without gaps.
 *
 * What is read early is nobody's word for anything: it may turn out to be wrong. So whoever makes
 * something of it keeps that to himself until wb_growing_look() finds the file good, and throws it
 * away when its round is over: a writer that starts over begins a new round, in the same file, and
 * one that gives up ends it as bad. Shared by reference counts; thread safe. */
#ifndef WB_BASE_GROWING_H
#define WB_BASE_GROWING_H

#include <stdbool.h>
#include <stdint.h>

struct wb_growing;

/* What is to be asked for when the whole file, found good, is. */
#define WB_GROWING_ALL UINT64_MAX

/* Has a descriptor of its own for fd's file; NULL when there is none to be had. */
struct wb_growing *wb_growing_new(int fd);
struct wb_growing *wb_growing_ref(struct wb_growing *g);
void wb_growing_unref(struct wb_growing *g); /* NULL is fine */

/* --- the writer ----------------------------------------------------------------------------- */

void wb_growing_reach(struct wb_growing *g, uint64_t upto); /* [0, upto) can be read */
void wb_growing_restart(struct wb_growing *g);              /* before its bytes are changed */
/* Once; later ones are passed over. */
void wb_growing_end(struct wb_growing *g, bool good);

/* --- readers -------------------------------------------------------------------------------- */

enum wb_growth {
	WB_GROWTH_THERE,
	WB_GROWTH_LATER,
	WB_GROWTH_VOID, /* the round is over, or the file came to nothing */
};

int wb_growing_fd(const struct wb_growing *g); /* for pread */
unsigned wb_growing_round(struct wb_growing *g);
/* Are the bytes [0, upto) there, all of one round? wait: until they are, or never will be. At the
 * end of a good file there are no more to wait for: THERE, whatever upto is. */
enum wb_growth wb_growing_look(struct wb_growing *g, unsigned round, uint64_t upto, bool wait);
/* How many there are; *ended: no more will come. */
uint64_t wb_growing_reached(struct wb_growing *g, bool *ended);
bool wb_growing_failed(struct wb_growing *g); /* it ended, and not well */

#endif
