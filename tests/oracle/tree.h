/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the tree that xml/element.h returns says what an event list says. A tree
 * keeps less: no prefixes of attributes, and an element's text as one.
 */
#ifndef ORACLE_TREE_H
#define ORACLE_TREE_H

#include "tests/oracle/complaint.h"
#include "tests/oracle/events.h"
#include "xml/element.h"

/* events: of one element. */
bool tree_agrees(const struct element *e, struct span events, struct complaint *c);

/* A stream header's: its start and attributes, without an end. */
bool tree_agrees_root(const struct element *e, struct span events, struct complaint *c);

#endif
