/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that the report's page is made of, linked into the program. Each ends with a NUL. */
#ifndef REPLAY_ASSETS_H
#define REPLAY_ASSETS_H

extern const char asset_page[];	     /* replay/page/report.html: the marks are lines of their own */
extern const char asset_uplot_js[];  /* replay/vendor/uplot/ */
extern const char asset_uplot_css[]; /* replay/vendor/uplot/ */

#endif
