#include "builder/build/pickle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define BUFFER 65536
#define NAME_MAX_BYTES 256 /* of a module or name; longer strings are data */
#define MEMO_MAX (1u << 20)
#define STREAMS_MAX 16 /* pickles in a row */

/* A stream being read, and the little of the pickle machine's state that names depend on: the
 * last two strings pushed, and the memo's strings. */
struct scan {
	const struct wb_pickle_input *in;
	struct wb_pickle *out;
	unsigned char buf[BUFFER];
	size_t at, n;
	uint64_t taken;
	bool ended, imported;
	char *last[2]; /* NULL: not known; [1] is the newest */
	WB_VEC(char *) memo;
};

static void scan_release(struct scan *s)
{
	free(s->last[0]);
	free(s->last[1]);
	wb_vec_foreach (m, &s->memo)
		free(*m);
	wb_vec_free(&s->memo);
}

void wb_pickle_release(struct wb_pickle *p)
{
	wb_vec_foreach (i, &p->imports)
		free(i->name);
	wb_vec_free(&p->imports);
	*p = WB_PICKLE_INIT;
}

enum wb_import_kind wb_pickle_worst(const struct wb_pickle *p)
{
	enum wb_import_kind worst = WB_IMPORT_PLAIN;

	wb_vec_foreach (i, &p->imports)
		worst = i->kind > worst ? i->kind : worst;
	return worst;
}

/* --- bytes -------------------------------------------------------------------------------- */

static int next_byte(struct scan *s)
{
	if (s->at == s->n) {
		ssize_t k = s->ended ? 0 : s->in->read(s->in->arg, s->buf, BUFFER);

		s->at = 0;
		s->n = k > 0 ? (size_t)k : 0;
		s->ended = k <= 0;
		if (s->ended || s->out->bytes + s->taken > WB_PICKLE_BYTES_MAX)
			return -1;
	}
	s->taken++;
	return s->buf[s->at++];
}

/* Passes over n bytes; false when there are fewer. */
static bool pass(struct scan *s, uint64_t n)
{
	uint64_t here = s->n - s->at < n ? s->n - s->at : n;

	s->at += (size_t)here;
	n -= here;
	if (n && s->in->skip)
		return !s->in->skip(s->in->arg, n);
	while (n--)
		if (next_byte(s) < 0)
			return false;
	return true;
}

/* A little-endian number of so many bytes. */
static bool number(uint64_t *out, struct scan *s, unsigned bytes)
{
	*out = 0;
	for (unsigned i = 0; i < bytes; i++) {
		int c = next_byte(s);

		if (c < 0)
			return false;
		*out |= (uint64_t)c << (8 * i);
	}
	return true;
}

/* --- strings on the stack ----------------------------------------------------------------- */

static void push(struct scan *s, char *text)
{
	free(s->last[0]);
	s->last[0] = s->last[1];
	s->last[1] = text;
}

/* Something that is no string: what comes before it is not what a name is made of. */
static void push_other(struct scan *s)
{
	push(s, NULL);
	push(s, NULL);
}

/* A string of n bytes; only one short enough to be a name is kept. */
static bool push_string(struct scan *s, uint64_t n)
{
	if (n > NAME_MAX_BYTES) {
		push(s, NULL);
		return pass(s, n);
	}
	wb_autofree char *text = wb_zalloc((size_t)n + 1);

	for (uint64_t i = 0; i < n; i++) {
		int c = next_byte(s);

		if (c < 0)
			return false;
		text[i] = (char)c;
	}
	push(s, wb_steal(text));
	return true;
}

/* Up to the line's end, cut at NAME_MAX_BYTES. NULL at the end of input. */
static char *line(struct scan *s)
{
	wb_autofree char *text = wb_zalloc(NAME_MAX_BYTES + 1);
	size_t n = 0;

	for (;;) {
		int c = next_byte(s);

		if (c < 0)
			return NULL;
		if (c == '\n')
			return wb_steal(text);
		if (n < NAME_MAX_BYTES)
			text[n++] = (char)c;
	}
}

static void memo_put(struct scan *s, uint64_t index)
{
	if (index >= MEMO_MAX)
		return;
	while (s->memo.n <= index)
		wb_vec_push(&s->memo);
	free(s->memo.items[index]);
	s->memo.items[index] = wb_strdup(s->last[1]);
}

static void memo_get(struct scan *s, uint64_t index)
{
	push(s, index < s->memo.n ? wb_strdup(s->memo.items[index]) : NULL);
}

/* --- imports ------------------------------------------------------------------------------ */

static void import(struct scan *s, const char *module, const char *name)
{
	struct wb_pickle *out = s->out;
	bool known = module && name;
	wb_autofree char *full = known ? wb_asprintf("%s.%s", module, name)
	                               : wb_strdup("(a name made while loading)");

	s->imported = true;
	wb_vec_foreach (i, &out->imports)
		if (!strcmp(i->name, full))
			return;
	if (out->imports.n >= WB_PICKLE_IMPORTS_MAX)
		return;
	*wb_vec_push(&out->imports) = (struct wb_pickle_import){
		.name = wb_text_quote(full, 2 * NAME_MAX_BYTES),
		.kind = known ? wb_pickle_import_kind(module, name) : WB_IMPORT_UNSAFE,
	};
}

static bool import_lines(struct scan *s)
{
	wb_autofree char *module = line(s);
	wb_autofree char *name = module ? line(s) : NULL;

	if (!name)
		return false;
	import(s, module, name);
	push_other(s);
	return true;
}

/* --- opcodes ------------------------------------------------------------------------------ */

/* What follows an opcode: a count of bytes, "n" a line, "s"/"S" a counted string or data with a
 * length of 1, 4 or 8 bytes. */
enum shape { BAD, NOTHING, LINE, FIXED1, FIXED2, FIXED4, FIXED8, TEXT1, TEXT4, TEXT8 };

static enum shape shape_of(int op)
{
	static const char nothing[] = "(012NRQab}del]osut)\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92"
				      "\x97\x98";

	if (op && memchr(nothing, op, sizeof(nothing) - 1))
		return NOTHING;
	switch (op) {
	case 'F':
	case 'I':
	case 'L':
	case 'P': return LINE;
	case 'K':
	case 0x80:
	case 0x82: return FIXED1;
	case 'M':
	case 0x83: return FIXED2;
	case 'J':
	case 0x84: return FIXED4;
	case 'G':
	case 0x95: return FIXED8;
	case 'U':
	case 'C':
	case 0x8a:
	case 0x8c: return TEXT1;
	case 'T':
	case 'X':
	case 'B':
	case 0x8b: return TEXT4;
	case 0x8d:
	case 0x8e:
	case 0x96: return TEXT8;
	default: return BAD;
	}
}

static bool plain_opcode(struct scan *s, int op)
{
	enum shape shape = shape_of(op);
	uint64_t n = 0;

	switch (shape) {
	case BAD: return false;
	case NOTHING: push_other(s); return true;
	case LINE: {
		wb_autofree char *text = line(s);

		push_other(s);
		return text != NULL;
	}
	case FIXED1:
	case FIXED2:
	case FIXED4:
	case FIXED8:
		if (op != 0x80 && op != 0x95) /* protocol and frame are not pushed */
			push_other(s);
		return pass(s, shape == FIXED1 ? 1 : shape == FIXED2 ? 2 : shape == FIXED4 ? 4 : 8);
	case TEXT1: return number(&n, s, 1) && push_string(s, n);
	case TEXT4: return number(&n, s, 4) && push_string(s, n);
	case TEXT8: return number(&n, s, 8) && push_string(s, n);
	}
	return false;
}

/* A line as a string: 'S' has quotes round it. */
static bool string_line(struct scan *s, int op)
{
	char *text = line(s);
	size_t n = text ? strlen(text) : 0;

	if (op == 'S' && n >= 2) {
		memmove(text, text + 1, n - 2);
		text[n - 2] = '\0';
	}
	push(s, text);
	return text != NULL;
}

static bool memo_line(struct scan *s, bool put)
{
	wb_autofree char *text = line(s);
	uint64_t index;

	if (!text || !wb_parse_u64(&index, text))
		return false;
	if (put)
		memo_put(s, index);
	else
		memo_get(s, index);
	return true;
}

static bool memo_number(struct scan *s, unsigned bytes, bool put)
{
	uint64_t index;

	if (!number(&index, s, bytes))
		return false;
	if (put)
		memo_put(s, index);
	else
		memo_get(s, index);
	return true;
}

/* False: not an opcode, or cut off. */
static bool opcode(struct scan *s, int op)
{
	switch (op) {
	case 'c':
	case 'i': return import_lines(s);
	case 0x93: /* STACK_GLOBAL */
		import(s, s->last[0], s->last[1]);
		push_other(s);
		return true;
	case 'S':
	case 'V': return string_line(s, op);
	case 'p': return memo_line(s, true);
	case 'g': return memo_line(s, false);
	case 'q': return memo_number(s, 1, true);
	case 'r': return memo_number(s, 4, true);
	case 'h': return memo_number(s, 1, false);
	case 'j': return memo_number(s, 4, false);
	case 0x94: memo_put(s, s->memo.n); return true;
	default: return plain_opcode(s, op);
	}
}

/* One pickle, to its STOP. False when the bytes are none (any more). */
static bool one(struct scan *s, int first)
{
	size_t opcodes = 0;

	for (int op = first; op >= 0; op = next_byte(s), opcodes++) {
		if (op == '.')
			return opcodes > 0;
		if (!opcode(s, op))
			return false;
	}
	return false;
}

void wb_pickle_scan(struct wb_pickle *out, const struct wb_pickle_input *in)
{
	wb_autofree struct scan *s = wb_zalloc(sizeof(*s));

	s->in = in;
	s->out = out;
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		int first = next_byte(s);
		bool modern = first == 0x80;

		/* text protocols have no magic: only what imports something is taken for one */
		if (first < 0 || (i && !modern))
			break;
		bool whole = one(s, first);

		if (!s->imported && !(modern && whole))
			break;
		out->found = true;
		out->complete = whole;
		if (!whole)
			break;
	}
	out->bytes += s->taken;
	scan_release(s);
}

/* --- files -------------------------------------------------------------------------------- */

static ssize_t read_fd(void *arg, void *p, size_t n)
{
	ssize_t k;

	do
		k = read(*(int *)arg, p, n);
	while (k < 0 && errno == EINTR);
	return k;
}

static int skip_fd(void *arg, uint64_t n)
{
	return n > INT64_MAX || lseek(*(int *)arg, (off_t)n, SEEK_CUR) < 0;
}

int wb_pickle_scan_file(struct wb_pickle *out, const char *path, struct wb_err *err)
{
	wb_autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const struct wb_pickle_input in = {read_fd, skip_fd, &fd};
	unsigned char magic[4] = {0};

	if (fd < 0 || pread(fd, magic, sizeof(magic), 0) < 0)
		return wb_err_sys(err, errno, "cannot read \"%s\"", path);
	if (!memcmp(magic, "PK\3\4", 4))
		wb_pickle_scan_zip(out, fd);
	else
		wb_pickle_scan(out, &in);
	return 0;
}
