/*
 * The line, in two orders: of arrival, in which jobs are taken, and of deadlines, in which they are
 * told that it is too late.
 *
 * Nearly all jobs get the same time to wait, so the second order is nearly the first one, and a job
 * finds its place in it from the end in one step. A heap would be as long to write and no faster;
 * looking through a line of a hundred thousand each time that a deadline passes would not do.
 */
#include "store/pool_internal.h"

void pool_line_add(struct line *line, struct pool_job *job)
{
    job->next = NULL;
    job->previous = line->last;
    *(line->last ? &line->last->next : &line->first) = job;
    line->last = job;

    struct pool_job *before = line->last_late;
    while (before && before->deadline_ms > job->deadline_ms)
        before = before->previous_late;
    job->previous_late = before;
    job->next_late = before ? before->next_late : line->first_late;
    *(before ? &before->next_late : &line->first_late) = job;
    *(job->next_late ? &job->next_late->previous_late : &line->last_late) = job;
    line->count++;
}

void pool_line_remove(struct line *line, struct pool_job *job)
{
    *(job->previous ? &job->previous->next : &line->first) = job->next;
    *(job->next ? &job->next->previous : &line->last) = job->previous;
    *(job->previous_late ? &job->previous_late->next_late : &line->first_late) = job->next_late;
    *(job->next_late ? &job->next_late->previous_late : &line->last_late) = job->previous_late;
    line->count--;
}
