/* The system calls that can be made to fail, and which of their arguments are what. */
#ifndef FAULTS_CALLS_H
#define FAULTS_CALLS_H

#include "trace.h"

extern const struct call calls[];
extern const size_t n_calls;

const struct call *call_find(long nr);

#endif
