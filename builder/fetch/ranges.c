#include "builder/fetch/ranges.h"

#include <string.h>

/* Index of the first range that ends after `at`. */
static size_t find(const struct wb_ranges *r, uint64_t at)
{
	size_t low = 0, high = r->list.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->list.items[mid].end > at)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void insert(struct wb_ranges *r, size_t i, uint64_t start, uint64_t end)
{
	wb_vec_push(&r->list);
	struct wb_range *p = r->list.items + i;

	memmove(p + 1, p, (r->list.n - 1 - i) * sizeof(*p));
	*p = (struct wb_range){start, end};
}

static void erase(struct wb_ranges *r, size_t from, size_t to)
{
	struct wb_range *p = r->list.items;

	if (from == to)
		return;
	memmove(p + from, p + to, (r->list.n - to) * sizeof(*p));
	r->list.n -= to - from;
}

void wb_ranges_add(struct wb_ranges *r, uint64_t start, uint64_t end)
{
	/* Those that overlap, and those that touch at start. */
	size_t first = find(r, start ? start - 1 : 0), last = first;

	if (start >= end)
		return;
	while (last < r->list.n && r->list.items[last].start <= end) {
		const struct wb_range *p = &r->list.items[last++];

		start = p->start < start ? p->start : start;
		end = p->end > end ? p->end : end;
	}
	erase(r, first, last);
	insert(r, first, start, end);
}

void wb_ranges_remove(struct wb_ranges *r, uint64_t start, uint64_t end)
{
	size_t first = find(r, start), last = first;
	struct wb_range left = {0}, right = {0};

	if (start >= end)
		return;
	while (last < r->list.n && r->list.items[last].start < end) {
		const struct wb_range *p = &r->list.items[last++];

		if (p->start < start)
			left = (struct wb_range){p->start, start};
		if (p->end > end)
			right = (struct wb_range){end, p->end};
	}
	erase(r, first, last);
	if (right.end)
		insert(r, first, right.start, right.end);
	if (left.end)
		insert(r, first, left.start, left.end);
}

void wb_ranges_release(struct wb_ranges *r)
{
	wb_vec_free(&r->list);
}

uint64_t wb_ranges_total(const struct wb_ranges *r)
{
	uint64_t n = 0;

	wb_vec_foreach (p, &r->list)
		n += p->end - p->start;
	return n;
}

uint64_t wb_ranges_end(const struct wb_ranges *r, uint64_t at)
{
	size_t i = find(r, at);

	return i < r->list.n && r->list.items[i].start <= at ? r->list.items[i].end : at;
}

bool wb_ranges_next(struct wb_range *out, const struct wb_ranges *r, uint64_t at)
{
	size_t i = find(r, at);

	if (r->list.n == 0)
		return false;
	*out = r->list.items[i < r->list.n ? i : 0];
	if (out->start < at && at < out->end)
		out->start = at;
	return true;
}
