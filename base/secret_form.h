/* Credentials that are told by their form: private keys, tokens that begin with a mark of their
 * own, connection strings, logins of docker's config.json. One table for all that look into files:
 * the lint of validate and the guard on finished layers.
 *
 * For text: chance finds nothing in a billion random bytes, but nobody keeps a token between NULs.
 * Placeholders (one letter again and again, AWS's "…EXAMPLE", the Azure emulator's key) are passed
 * over. Thread safe. */
#ifndef WB_BASE_SECRET_FORM_H
#define WB_BASE_SECRET_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* Bumped when more is found. */
#define WB_SECRET_FORMS_VERSION 1
/* No form needs to see more of a text than this. */
#define WB_SECRET_FORM_MAX 512

struct wb_secret_form {
	const char *what; /* "a private key" */
	bool sure;        /* else it may well be public: a key's id, a key for browsers */
	size_t at;
};

/* The first form of the text that begins at `from` or behind it; false when there is none. */
bool wb_secret_form_find(struct wb_secret_form *out, const char *text, size_t n, size_t from);
/* Only what is sure. */
bool wb_secret_form_sure(struct wb_secret_form *out, const char *text, size_t n);

#endif
