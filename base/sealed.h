/* Memory for secrets: left out of core dumps (MADV_DONTDUMP), kept out of swap where the process
 * may lock that much (mlock), wiped when it is given back. And a process that holds some: no core
 * dump, no look into it by others of the same user.
 *
 * All functions are thread safe but wb_sealed_process(), which comes first in main(). */
#ifndef WB_BASE_SEALED_H
#define WB_BASE_SEALED_H

#include <stdbool.h>
#include <stddef.h>

void *wb_sealed_alloc(size_t n);        /* zeroed; never NULL */
void wb_sealed_free(void *p, size_t n); /* n as it was allocated; NULL is fine */

/* Forbids core dumps and debuggers, as ssh-agent does: PR_SET_DUMPABLE also holds where a core is
 * piped to a program, which RLIMIT_CORE does not. Not when WBUILD_COREDUMP is set. Then takes the
 * values of variables that hold secrets out of the block that /proc/PID/environ shows: getenv()
 * and programs that are started still see them. */
void wb_sealed_process(void);
/* The same for one variable by name, if it is set. */
void wb_sealed_variable(const char *name);
/* Is this entry of the environment ("NAME=value") one that holds a secret, by its name? */
bool wb_sealed_names_secret(const char *entry);
/* A copy of the environment, NULL at the end, without what no program that is started has a use
 * for: tokens of hubs, and secrets by name. Strings are borrowed, the caller frees the list. */
char **wb_sealed_environment(void);

#endif
