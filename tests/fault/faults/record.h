/* Writes down what a program does to the files below a folder, in the order in which it happened,
 * for tests/fault/power_loss.py, which says how the log reads. */
#ifndef FAULTS_RECORD_H
#define FAULTS_RECORD_H

int record(const char *root, const char *log, const char *data, char **argv);

#endif
