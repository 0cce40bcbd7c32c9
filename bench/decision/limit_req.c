
/*
 * What limit_req does to decide, as its handler does it: hash of the key, the
 * zone's mutex, a look into the tree, the account.  It is nginx's own code:
 * its source is included, since what is called is static, and the rest is
 * linked from the objects of a built nginx.
 *
 *   limit_req pass|shed[-paced] PROCESSES [LOOPS]
 *
 * The zone has a thousand keys; all ask for the same one, which is what the
 * bucket of a backend is.
 */

#include "ngx_http_limit_req_module.c"

#include "race.h"


#define ZONE_SIZE   (1024 * 1024)
#define KEYS        1000
#define ENDLESS     ((ngx_uint_t) 1 << 60)


static ngx_log_t                    log_none;
static ngx_cycle_t                  cycle;
static ngx_shm_zone_t               zone;
static ngx_http_limit_req_ctx_t     ctx;
static ngx_http_limit_req_limit_t   limit;
static ngx_str_t                    key = ngx_string("key500");
static int                          paced;


/* What the handler does with the value of the key. */

static void
ask(ngx_str_t *name)
{
    uint32_t                     hash;
    ngx_int_t                    rc;
    ngx_uint_t                   excess;
    ngx_http_limit_req_limit_t  *told;

    hash = ngx_crc32_short(name->data, name->len);

    ngx_shmtx_lock(&ctx.shpool->mutex);
    rc = ngx_http_limit_req_lookup(&limit, hash, name, &excess, 1);
    ngx_shmtx_unlock(&ctx.shpool->mutex);

    if (rc == NGX_OK) {
        told = &limit;
        (void) ngx_http_limit_req_account(&limit, 0, &excess, &told);
    }
}


/* As ngx_init_zone_pool() does it, which is static, too. */

static void
zone_create(void)
{
    ngx_slab_pool_t  *pool;

    ngx_pagesize = (ngx_uint_t) getpagesize();
    for (ngx_pagesize_shift = 0;
         (ngx_pagesize >> ngx_pagesize_shift) > 1;
         ngx_pagesize_shift++)
    {
    }

    ngx_ncpu = sysconf(_SC_NPROCESSORS_ONLN);
    ngx_slab_sizes_init();

    ngx_str_set(&zone.shm.name, "race");
    zone.shm.size = ZONE_SIZE;
    zone.shm.log = &log_none;
    zone.shm.addr = race_shared(ZONE_SIZE);
    zone.data = &ctx;

    pool = (ngx_slab_pool_t *) zone.shm.addr;
    pool->end = zone.shm.addr + zone.shm.size;
    pool->min_shift = 3;
    pool->addr = zone.shm.addr;

    if (ngx_shmtx_create(&pool->mutex, &pool->lock, NULL) != NGX_OK) {
        exit(1);
    }

    ngx_slab_init(pool);

    if (ngx_http_limit_req_init_zone(&zone, NULL) != NGX_OK) {
        exit(1);
    }
}


static void
enter(void *shared, unsigned number)
{
    (void) shared;
    (void) number;

    ngx_pid = getpid();
}


static void
asks(void *shared, unsigned number, unsigned long loops)
{
    unsigned long  i;

    (void) shared;
    (void) number;

    ngx_current_msec++;

    for (i = 0; i < loops; i++) {
        ask(&key);

        if (paced) {
            race_pause();
        }
    }
}


int
main(int argc, char **argv)
{
    char        title[32];
    race_t      it;
    u_char      name[16];
    ngx_str_t   each;
    ngx_uint_t  i;

    if (argc < 3) {
        fprintf(stderr, "usage: limit_req pass|shed[-paced] PROCESSES"
                        " [LOOPS]\n");
        return 2;
    }

    snprintf(title, sizeof(title), "%s", argv[1]);
    paced = race_paced(argv[1]);

    cycle.log = &log_none;
    ngx_cycle = &cycle;
    ngx_pid = getpid();
    zone_create();

    ctx.rate = 1;
    limit.shm_zone = &zone;
    limit.burst = ENDLESS;
    limit.delay = ENDLESS;

    each.data = name;

    for (i = 0; i < KEYS; i++) {
        each.len = (size_t) (ngx_sprintf(name, "key%ui", i) - name);
        ask(&each);
    }

    if (ngx_strcmp(argv[1], "shed") == 0) {
        limit.burst = 0;
    }

    it.name = title;
    it.enter = enter;
    it.round = asks;

    return race(&it, NULL, argv[2], argv[3]);
}
