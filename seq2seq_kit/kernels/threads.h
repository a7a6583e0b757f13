/* Threads that stay between calls, since starting one costs as long as a short sequence, and pieces of work for them.
 *
 * Whoever brings pieces works on them, too, so they get done even where no thread is to be had or all are busy with another
 * caller's.
 */

typedef struct Work {
  void (*run)(void *pieces, int number);
  void *pieces;
  int next, count, unfinished;
  struct Work *after;
} Work;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t brought = PTHREAD_COND_INITIALIZER, finished = PTHREAD_COND_INITIALIZER;
static Work *waiting; /* oldest first; none of it is without a piece that nobody has taken */
static int helpers;

/* Takes a piece and runs it without the guard, which is held before and after. */
static void run_one(Work *work) {
  int number = work->next++;
  if (work->next == work->count) {
    Work **place = &waiting;
    while (*place != work) place = &(*place)->after;
    *place = work->after;
  }
  pthread_mutex_unlock(&guard);
  work->run(work->pieces, number);
  pthread_mutex_lock(&guard);
  if (!--work->unfinished) pthread_cond_broadcast(&finished);
}

/* A fork takes only the thread that calls it along: its child has no helpers, and nobody will ever finish what they were at. */
static void begin_again(void) {
  pthread_mutex_init(&guard, NULL), pthread_cond_init(&brought, NULL), pthread_cond_init(&finished, NULL);
  waiting = NULL, helpers = 0;
}

static void *help(void *unused) {
  flush_denormals();
  pthread_mutex_lock(&guard);
  for (;;) {
    while (!waiting) pthread_cond_wait(&brought, &guard);
    run_one(waiting);
  }
  return unused;
}

/* Runs `run(pieces, number)` for each number below `count`, each on a thread of its own where so many are to be had. */
static void run_all(void (*run)(void *, int), void *pieces, int count) {
  unsigned before = flush_denormals();
  Work work = {run, pieces, 0, count, count, NULL}, **last = &waiting;
  pthread_mutex_lock(&guard);
  for (; helpers < count - 1; helpers++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, help, NULL)) break;
    pthread_detach(thread);
  }
  while (*last) last = &(*last)->after;
  *last = &work;
  for (int i = 1; i < count; i++) pthread_cond_signal(&brought);
  while (work.next < count) run_one(&work);
  while (work.unfinished) pthread_cond_wait(&finished, &guard);
  pthread_mutex_unlock(&guard);
  restore_denormals(before);
}
