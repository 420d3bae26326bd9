/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

struct peer *peer_find(const struct initiator *i, const struct place *at)
{
	struct table_node *n = table_first(&i->peers, place_hash(&i->key, at));

	for (; n; n = table_next(n)) {
		struct peer *p = container_of(n, struct peer, node);

		if (place_eq(&p->at, at))
			return p;
	}
	return NULL;
}

/* The one that was in use longest ago makes room. */
struct peer *peer_get(struct initiator *i, const struct place *at)
{
	struct peer *p = peer_find(i, at);

	if (p) {
		list_del(&p->link);
		list_add_tail(&i->peers_by_use, &p->link);
		return p;
	}
	if (i->peers.count >= LIMIT_OUT_PEERS) {
		p = list_first(&i->peers_by_use, struct peer, link);
		list_del(&p->link);
		table_del(&i->peers, &p->node);
		mem_free(p);
	}
	p = mem_try_zalloc(sizeof(*p));
	if (!p)
		return NULL;
	p->at = *at;
	table_add(&i->peers, &p->node, place_hash(&i->key, at));
	list_add_tail(&i->peers_by_use, &p->link);
	return p;
}
