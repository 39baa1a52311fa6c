/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of the daemon as text for people: JSON in, lines out. For syncctl. */
#ifndef SYNCD_CTL_CTL_TEXT_H
#define SYNCD_CTL_CTL_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Each takes the response to the command of its name. Members that are missing print as "-". */
void ctl_text_status(const json_t *response, FILE *to);
void ctl_text_peers(const json_t *response, FILE *to);
void ctl_text_flows(const json_t *response, FILE *to);
void ctl_text_stats(const json_t *response, FILE *to);
void ctl_text_ready(const json_t *response, FILE *to);
void ctl_text_verify(const json_t *response, FILE *to);
void ctl_text_role(const json_t *response, FILE *to);
void ctl_text_reload(const json_t *response, FILE *to);
void ctl_text_metrics(const json_t *response, FILE *to);

#endif
