/*
 * run.h - one node while the plan is carried out: what its steps share. Each step is a function of
 * engine and index that goes on to another step, waits, or ends the node. Only for run*.c.
 */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "engine/internal.h"

/* ---- run.c ---- */
void run_end(struct engine *e, struct engine_node *n, enum node_status status);
void run_end_done(struct engine *e, size_t i);
/* Takes the error. */
void run_end_failed(struct engine *e, size_t i, struct err *error);
/* Tells once that something is done for the node. */
void run_show(struct engine *e, struct engine_node *n);
void run_set_doing(struct engine *e, struct engine_node *n, const char *text);
/* Notes that the step's request goes out; its answer comes to run_on_answer. */
void run_expect(struct engine *e, struct node_run *r);
void run_on_answer(void *arg, const struct cloud_result *result);
void run_next_step(struct node_run *r, enum run_step step);
/* Writes that must not overlap: all keys of the node, or false and it is blocked. */
bool run_take_turn(struct engine *e, struct engine_node *n);
void run_give_turn(struct engine *e, struct node_run *r);

/* ---- run_fresh.c ---- */
void run_step_fresh(struct engine *e, size_t i);

/* ---- run_write.c ---- */
struct diff_input run_diff_input(const struct engine_node *n);
void run_step_resolve(struct engine *e, size_t i);
void run_step_write(struct engine *e, size_t i);
void run_step_read(struct engine *e, size_t i);

/* ---- run_remove.c ---- */
void run_step_check(struct engine *e, size_t i);
void run_step_remove(struct engine *e, size_t i);
void run_step_forget(struct engine *e, size_t i);

/* ---- run_wait.c ---- */
void run_step_await(struct engine *e, size_t i);
void run_step_rollout(struct engine *e, size_t i);
void run_step_procedure(struct engine *e, size_t i);

#endif
