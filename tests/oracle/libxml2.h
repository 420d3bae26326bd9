/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first oracle: libxml2 in whole-document mode, through SAX2. It accepts when
 * it has reported no error and counts the document as well-formed and namespace-
 * well-formed, and there was no comment, processing instruction, DTD or entity.
 * One complaint is excused, as in xml/element.c: that a namespace name is no URI
 * by RFC 3986, of which Namespaces in XML makes no rule.
 *
 * One thread. An element parser (xml/element.h), which sets libxml2's memory
 * functions, must be made before the first reading or not at all.
 */
#ifndef ORACLE_LIBXML2_H
#define ORACLE_LIBXML2_H

#include "tests/oracle/reading.h"

void oracle_libxml2_read(struct span document, struct reading *out);

#endif
